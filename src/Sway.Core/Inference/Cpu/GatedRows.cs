using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>act(gate) * up, row by row. Both tensors belong to it; where the gate fills its rows, the results take their place.</summary>
internal sealed unsafe class GatedRows : PendingRows
{
    private readonly CpuTensor _gate;
    private readonly CpuTensor _up;
    private readonly int _gateFirst;
    private readonly int _upFirst;
    private readonly int _width;
    private readonly Activation _activation;
    private float* _gates;

    /// <param name="workers">The threads.</param>
    /// <param name="gate">The tensor of the gates.</param>
    /// <param name="gateFirst">First column of the gates.</param>
    /// <param name="up">The tensor of what they are multiplied with; may be the same.</param>
    /// <param name="upFirst">First column of that.</param>
    /// <param name="width">Number of columns.</param>
    /// <param name="activation">act.</param>
    public GatedRows(WorkerPool workers, CpuTensor gate, int gateFirst, CpuTensor up, int upFirst, int width, Activation activation)
        : base(workers)
    {
        (_gateFirst, _upFirst, _width, _activation) = (gateFirst, upFirst, width, activation);
        _gate = gate.Move();
        _up = ReferenceEquals(gate, up) ? _gate : up.Move();
        _gates = _gate.Data;
    }

    /// <inheritdoc/>
    public override CpuTensor? Source => null;

    // An activation takes several steps an element.
    /// <inheritdoc/>
    public override long StepsOfRow => (long)_width * 8;

    /// <inheritdoc/>
    public override void Compute(int row, float* to)
    {
        var from = _gates + ((long)row * _gate.Width) + _gateFirst;
        if (from == to)
        {
            from = AlignedScratch.Work(_width);
            new ReadOnlySpan<float>(to, _width).CopyTo(new Span<float>(from, _width));
        }

        var result = new Span<float>(to, _width);
        Functions.Apply(_activation, new ReadOnlySpan<float>(from, _width), result);
        TensorPrimitives.Multiply(result, new ReadOnlySpan<float>(_up.Row(row) + _upFirst, _width), result);
    }

    /// <inheritdoc/>
    public override (WantedBytes First, WantedBytes Second) Inputs(int row, int count) => (
        new WantedBytes((byte*)(_gates + ((long)row * _gate.Width)), (nint)count * _gate.Width * sizeof(float)),
        ReferenceEquals(_gate, _up) ? default : _up.Bytes(row, count));

    /// <inheritdoc/>
    public override BufferPool.Buffer? TakePlace(long floats) =>
        _gate.Width == _width && _gate.Room >= floats ? _gate.TakeBuffer() : null;

    /// <inheritdoc/>
    public override void Release()
    {
        _gates = null;
        _gate.Dispose();
        _up.Dispose();
    }
}
