using Sway.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>
/// A weight matrix (outputs, inputs) as a source of column panels for products: panel element (k, j) is the weight of
/// input k and output j. Weights stay as stored and are widened to float32 panel by panel.
/// </summary>
internal abstract unsafe class PanelSource(int outputs, int inputs)
{
    /// <summary>Number of outputs.</summary>
    public int Outputs { get; } = outputs;

    /// <summary>Number of inputs.</summary>
    public int Inputs { get; } = inputs;

    /// <summary>
    /// Writes the weights of outputs <paramref name="output"/> ... and inputs <paramref name="input"/> ... as (depth, columns);
    /// columns past <paramref name="valid"/> are zeros.
    /// </summary>
    public abstract void Pack(int output, int valid, int columns, int input, int depth, float* destination);

    /// <summary>Writes all weights of one output, float32.</summary>
    public abstract void ReadRow(int output, Span<float> destination);
}

/// <summary>A dense matrix, stored as (outputs, inputs) or transposed.</summary>
internal sealed unsafe class DensePanels : PanelSource
{
    private const int Block = 512;
    private readonly byte* _data;
    private readonly DType _dtype;
    private readonly bool _transposed;
    private readonly int _size;

    /// <param name="data">The first element; stays valid as long as this is used.</param>
    /// <param name="dtype">F32, F16 or BF16.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputs">Number of inputs.</param>
    /// <param name="transposed">Whether the matrix is stored as (inputs, outputs).</param>
    public DensePanels(byte* data, DType dtype, int outputs, int inputs, bool transposed)
        : base(outputs, inputs)
    {
        _data = data;
        _dtype = dtype;
        _transposed = transposed;
        _size = dtype.ByteSize();
    }

    /// <inheritdoc/>
    public override void Pack(int output, int valid, int columns, int input, int depth, float* destination)
    {
        if (_transposed)
        {
            for (var k = 0; k < depth; k++)
            {
                var row = new Span<float>(destination + ((nint)k * columns), columns);
                Widen(((long)(input + k) * Outputs) + output, row[..valid]);
                row[valid..].Clear();
            }

            return;
        }

        if (_dtype == DType.F32)
        {
            PanelTranspose.Run((float*)_data + ((long)output * Inputs) + input, Inputs, valid, columns, depth, destination);
            return;
        }

        // Widened rows of a slice of k stay in the first-level cache until they are transposed.
        var slice = Math.Min(depth, Block / 4);
        var rows = stackalloc float[slice * 32];
        for (var k = 0; k < depth; k += slice)
        {
            var count = Math.Min(slice, depth - k);
            for (var j = 0; j < valid; j++)
            {
                Widen(((long)(output + j) * Inputs) + input + k, new Span<float>(rows + (j * slice), count));
            }

            PanelTranspose.Run(rows, slice, valid, columns, count, destination + ((nint)k * columns));
        }
    }

    /// <inheritdoc/>
    public override void ReadRow(int output, Span<float> destination)
    {
        if (!_transposed)
        {
            Widen((long)output * Inputs, destination[..Inputs]);
            return;
        }

        for (var k = 0; k < Inputs; k++)
        {
            Widen(((long)k * Outputs) + output, destination.Slice(k, 1));
        }
    }

    private void Widen(long element, Span<float> destination) =>
        ElementConversion.ToSingle(_dtype, new ReadOnlySpan<byte>(_data + (element * _size), destination.Length * _size), destination);
}
