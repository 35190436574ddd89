using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>The managed engine: float32 arithmetic on any machine, with the same bits for every batch and thread count.</summary>
public sealed unsafe partial class CpuEngine : IEngine
{
    private readonly BufferPool _pool = new();
    private readonly WorkerPool _workers;

    /// <param name="threads">Threads to use; 0 = one for each processor.</param>
    public CpuEngine(int threads = 0)
    {
        _workers = new WorkerPool(threads > 0 ? threads : Environment.ProcessorCount);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Identity { get; } =
        $"cpu {GemmKernel.Best.GetType().Name} {System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated} {System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated} {RuntimeInformation.ProcessArchitecture} {RuntimeInformation.RuntimeIdentifier}";

    /// <inheritdoc/>
    public bool ReadsMappedWeights => true;

    // What a layer of a small model makes of so many rows stays in the third-level cache, and packing its weights anew for them costs
    // less than half a percent of their products.
    /// <inheritdoc/>
    public int RowsTogether => 1024;

    /// <inheritdoc/>
    public T Execute<T>(Func<T> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return body();
    }

    /// <inheritdoc/>
    public CancellationToken Cancellation
    {
        get => _workers.Cancellation;
        set => _workers.Cancellation = value;
    }

    /// <inheritdoc/>
    public void Shrink(long bytes) => _pool.Shrink(bytes);

    /// <inheritdoc/>
    public void Reclaim() => _pool.Reclaim();

    /// <summary>Bytes that the engine holds for activations now.</summary>
    public long ActivationBytes => _pool.Bytes;

    /// <summary>The most bytes of activations that were alive at once, with what products made of them.</summary>
    public long PeakActivationBytes => _pool.PeakBytes;

    /// <inheritdoc/>
    public EngineWeight Matrix(WeightStore store, LinearSpec spec)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(spec);
        var name = spec.WeightName ?? spec.Module + ".weight";
        var tensor = store.Get(name);
        if (tensor.Info.DType == DType.U32)
        {
            return Quantized(store, name[..^".weight".Length], tensor, 0, spec.Outputs, spec.Inputs);
        }

        tensor = spec.Transposed ? store.Get(name, spec.Inputs, spec.Outputs) : store.Get(name, spec.Outputs, spec.Inputs);
        return new CpuMatrix(
            new DensePanels(tensor.Data, Float(tensor.Info), spec.Outputs, spec.Inputs, spec.Transposed),
            spec.Transposed ? null : store.RowPages(spec.Outputs, (tensor, 0, 1)));
    }

    /// <inheritdoc/>
    public IReadOnlyList<EngineWeight> ExpertMatrices(WeightStore store, ExpertLinearSpec spec, int experts)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(spec);
        var matrices = new EngineWeight[experts];
        for (var e = 0; e < experts; e++)
        {
            if (spec.Fused is null)
            {
                var module = string.Format(System.Globalization.CultureInfo.InvariantCulture, spec.Each!, e);
                matrices[e] = Matrix(store, new LinearSpec(module, spec.Outputs, spec.Inputs, false, spec.Transposed));
                continue;
            }

            var tensor = store.Get(spec.Fused);
            if (tensor.Info.DType == DType.U32)
            {
                matrices[e] = Quantized(store, spec.Fused[..^".weight".Length], tensor, e, spec.Outputs, spec.Inputs);
                continue;
            }

            tensor = spec.Transposed
                ? store.Get(spec.Fused, experts, spec.Inputs, spec.Outputs)
                : store.Get(spec.Fused, experts, spec.Outputs, spec.Inputs);
            var start = tensor.Data + ((long)e * spec.Outputs * spec.Inputs * tensor.Info.DType.ByteSize());
            matrices[e] = new CpuMatrix(new DensePanels(start, Float(tensor.Info), spec.Outputs, spec.Inputs, spec.Transposed));
        }

        return matrices;
    }

    /// <inheritdoc/>
    public EngineWeight Vector(WeightStore store, string name, long first, int count)
    {
        ArgumentNullException.ThrowIfNull(store);
        var tensor = store.Get(name);
        var dtype = Float(tensor.Info);
        if (first + count > tensor.Info.ElementCount)
        {
            throw new UnsupportedModelException($"\"{name}\" has shape {tensor.Info.ShapeText}, {count} numbers from {first} on are needed.");
        }

        var values = new float[count];
        var size = dtype.ByteSize();
        ElementConversion.ToSingle(dtype, new ReadOnlySpan<byte>(tensor.Data + (first * size), checked(count * size)), values);
        return new CpuVector(values);
    }

    /// <inheritdoc/>
    public EngineWeight Matrix(float[] values, int outputs, int inputs)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.LongLength, (long)outputs * inputs);

        // Kept by the matrix itself, so that an adapter's memory goes with it.
        var kept = new PinnedNumbers(values);
        return new CpuMatrix(new DensePanels((byte*)kept.Data, DType.F32, outputs, inputs, transposed: false, kept));
    }

    /// <inheritdoc/>
    public EngineWeight Vector(float[] values) => new CpuVector(values);

    /// <inheritdoc/>
    public double[] RowSquares(EngineWeight matrix, float[]? a, float[]? b, int rank, double scaling)
    {
        var panels = ((CpuMatrix)matrix).Panels;
        var squares = new double[panels.Outputs];
        _workers.For(panels.Outputs, (long)panels.Outputs * panels.Inputs * (rank + 1), row =>
        {
            var weights = new float[panels.Inputs];
            panels.ReadRow(row, weights);
            var sum = 0.0;
            for (var k = 0; k < weights.Length; k++)
            {
                double value = weights[k];
                for (var r = 0; r < rank; r++)
                {
                    value += scaling * b![(row * rank) + r] * a![(r * panels.Inputs) + k];
                }

                sum += value * value;
            }

            squares[row] = sum;
        });
        return squares;
    }

    /// <inheritdoc/>
    public bool IsFinite(EngineWeight weight)
    {
        if (weight is CpuVector vector)
        {
            return !vector.Values.Any(value => !float.IsFinite(value));
        }

        var panels = ((CpuMatrix)weight).Panels;
        var row = new float[panels.Inputs];
        for (var r = 0; r < panels.Outputs; r++)
        {
            panels.ReadRow(r, row);
            if (row.Any(value => !float.IsFinite(value)))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Read(EngineWeight vector) => ((CpuVector)vector).Values;

    /// <inheritdoc/>
    public void Settle(EngineTensor x) => Settled(x);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Row(EngineTensor x, int row)
    {
        var tensor = Settled(x);
        return new ReadOnlySpan<float>(tensor.Row(row), tensor.Width);
    }

    /// <inheritdoc/>
    public void ForEach(int count, Action<int> body) => _workers.For(count, long.MaxValue, body);

    /// <inheritdoc/>
    public void Dispose()
    {
        _workers.Dispose();
        _pool.Dispose();
    }

    private static DType Float(TensorInfo info) => info.DType is DType.F32 or DType.F16 or DType.BF16
        ? info.DType
        : throw new UnsupportedModelException($"\"{info.Name}\" is stored as {info.DType}, which the CPU engine does not compute with.");

    private static CpuMatrix Quantized(WeightStore store, string module, MappedTensor words, int slice, int outputs, int inputs)
    {
        if (store.Quantization is not { } quantization)
        {
            throw new UnsupportedModelException($"\"{words.Info.Name}\" holds integers, and config.json says nothing of a quantization.");
        }

        var (bits, group) = quantization.Of(module);
        var scales = store.Get(module + ".scales");
        var biases = store.Get(module + ".biases");
        var experts = words.Info.Shape.Length == 3 ? (int)words.Info.Shape[0] : 1;
        if (inputs % group != 0 || words.Info.ElementCount != experts * outputs * (inputs * bits / 32)
            || scales.Info.ElementCount != experts * outputs * (inputs / group) || biases.Info.ElementCount != scales.Info.ElementCount
            || biases.Info.DType != scales.Info.DType)
        {
            throw new UnsupportedModelException(
                $"\"{words.Info.Name}\" {words.Info.ShapeText} is not a matrix of {outputs} x {inputs} in {bits} bits with groups of {group}.");
        }

        var dtype = Float(scales.Info);
        var scaleStart = (long)slice * outputs * (inputs / group) * dtype.ByteSize();
        return new CpuMatrix(new QuantizedPanels(
            (uint*)words.Data + ((long)slice * outputs * (inputs * bits / 32)), scales.Data + scaleStart, biases.Data + scaleStart,
            dtype, outputs, inputs, bits, group), store.RowPages(outputs, (words, slice, experts), (scales, slice, experts), (biases, slice, experts)));
    }

    private void ForRows(int rows, long stepsOfRow, Action<int> body) => _workers.ForRows(rows, stepsOfRow, body);

    /// <summary>A tensor to be filled.</summary>
    internal CpuTensor Allocate(int rows, int width) => New(rows, width);

    private CpuTensor New(int rows, int width) => new(_pool, rows, width);

    // Few rows are computed at once: to do it later would gain nothing.
    private CpuTensor New(int rows, int width, PendingRows pending)
    {
        var result = new CpuTensor(_pool, rows, width, pending);
        if (rows <= GemmKernel.Best.TileRows)
        {
            result.Settle();
        }

        return result;
    }

    private static CpuTensor Settled(EngineTensor x)
    {
        var tensor = (CpuTensor)x;
        tensor.Settle();
        return tensor;
    }
}
