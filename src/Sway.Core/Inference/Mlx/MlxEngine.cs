using Sway.Inference.Cpu;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Inference.Mlx;

/// <summary>How the MLX engine computes.</summary>
public sealed record MlxEngineOptions
{
    /// <summary>The environment variable with the most memory that MLX may hold, for example <c>24GB</c>.</summary>
    public const string MemoryVariable = "SWAY_MLX_MEMORY_LIMIT";

    /// <summary>The environment variable with the most freed memory that MLX may keep for the next time.</summary>
    public const string CacheVariable = "SWAY_MLX_CACHE_LIMIT";

    /// <summary>True for float32 arithmetic whatever the weights' type; false for arithmetic in the weights' type.</summary>
    public bool SinglePrecision { get; init; } = true;

    /// <summary>The most bytes that MLX may hold before it waits for work to end; null for MLX's own limit.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>The most bytes of freed memory that MLX keeps; null for a twentieth of the weights.</summary>
    public long? CacheLimit { get; init; }
}

/// <summary>
/// MLX through mlx-c: the same decoder on Apple's GPUs, and on the CPU where MLX is built so. Every method runs on the thread that
/// <see cref="Execute"/> gives; what it returns can be read from any thread once a row of it has been read there.
/// </summary>
/// <remarks>
/// Recurrences, routing of experts and look-ups run on the host with the managed engine's code; products, attention, norms and
/// activations on MLX.
/// </remarks>
public sealed unsafe partial class MlxEngine : IEngine
{
    private readonly MlxRuntime _runtime;
    private readonly MlxOperations _ops;
    private readonly CpuEngine _host;
    private readonly MlxEngineOptions _options;
    private readonly List<IDisposable> _weights = [];
    private readonly HashSet<MlxTensor> _tensors = [];
    private MlxType? _type;
    private bool _disposed;

    /// <param name="options">How to compute; null for the defaults.</param>
    /// <param name="threads">Threads for what runs on the host; 0 = one for each processor.</param>
    /// <exception cref="NativeLibraryException">The library did not load.</exception>
    public MlxEngine(MlxEngineOptions? options = null, int threads = 0)
    {
        _options = options ?? new MlxEngineOptions();
        _runtime = MlxRuntime.Get();
        _ops = new MlxOperations(_runtime);
        _host = new CpuEngine(threads);
        _runtime.Run(() =>
        {
            if (_options.MemoryLimit is { } memory)
            {
                MlxRuntime.Check(MlxNative.SetMemoryLimit(out _, (nuint)memory));
            }

            return true;
        });
    }

    /// <inheritdoc/>
    public string Name => "mlx";

    /// <inheritdoc/>
    public string Identity => $"mlx {_runtime.Version} {_runtime.Device} {(_options.SinglePrecision ? "float32" : "native")} {_host.Identity}";

    /// <inheritdoc/>
    public bool ReadsMappedWeights => false;

    /// <inheritdoc/>
    public int RowsTogether => int.MaxValue;

    /// <inheritdoc/>
    public CancellationToken Cancellation
    {
        get => _host.Cancellation;
        set => _host.Cancellation = value;
    }

    private MlxType Type => _options.SinglePrecision ? MlxType.Float32 : _type ?? MlxType.Float32;

    /// <inheritdoc/>
    public T Execute<T>(Func<T> body) => _runtime.Run(body);

    /// <inheritdoc/>
    public void Shrink(long bytes)
    {
        // What MLX keeps of freed memory has a limit of its own.
    }

    /// <inheritdoc/>
    public void Reclaim()
    {
        foreach (MlxTensor tensor in _tensors.ToArray())
        {
            tensor.Dispose();
        }

        _host.Reclaim();
    }

    /// <inheritdoc/>
    public EngineWeight Matrix(WeightStore store, LinearSpec spec)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(spec);
        string name = spec.WeightName ?? spec.Module + ".weight";
        var host = (CpuMatrix)_host.Matrix(store, spec);
        return Own(new MlxMatrix(host, Loader(store, name, 0, 1, spec.Outputs, spec.Inputs, spec.Transposed)));
    }

    /// <inheritdoc/>
    public IReadOnlyList<EngineWeight> ExpertMatrices(WeightStore store, ExpertLinearSpec spec, int experts)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(spec);
        IReadOnlyList<EngineWeight> hosts = _host.ExpertMatrices(store, spec, experts);
        var matrices = new EngineWeight[experts];
        for (int e = 0; e < experts; e++)
        {
            string name = spec.Fused ?? string.Format(System.Globalization.CultureInfo.InvariantCulture, spec.Each!, e) + ".weight";
            int slice = spec.Fused is null ? 0 : e;
            matrices[e] = Own(new MlxMatrix(
                (CpuMatrix)hosts[e], Loader(store, name, slice, spec.Fused is null ? 1 : experts, spec.Outputs, spec.Inputs, spec.Transposed)));
        }

        return matrices;
    }

    /// <inheritdoc/>
    public EngineWeight Vector(WeightStore store, string name, long first, int count) =>
        Own(Wrapped((CpuVector)_host.Vector(store, name, first, count)));

    /// <inheritdoc/>
    public EngineWeight Matrix(float[] values, int outputs, int inputs)
    {
        ArgumentNullException.ThrowIfNull(values);
        var host = (CpuMatrix)_host.Matrix(values, outputs, inputs);

        // An adapter's: its arrays are freed when nothing refers to the adapter any more.
        return new MlxMatrix(host, () =>
        {
            using MlxOperations.Scope scope = _ops.Begin();
            return new MlxMatrixArrays { Weights = Settled(scope, _ops.New(values, Type, outputs, inputs)) };
        });
    }

    /// <inheritdoc/>
    public EngineWeight Vector(float[] values) => Wrapped((CpuVector)_host.Vector(values));

    /// <inheritdoc/>
    public double[] RowSquares(EngineWeight matrix, float[]? a, float[]? b, int rank, double scaling) =>
        _host.RowSquares(((MlxMatrix)matrix).Host, a, b, rank, scaling);

    /// <inheritdoc/>
    public bool IsFinite(EngineWeight weight) => _host.IsFinite(weight is MlxVector vector ? vector.Host : ((MlxMatrix)weight).Host);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Read(EngineWeight vector) => ((MlxVector)vector).Host.Values;

    // The first look has the graph computed, on the thread that MLX belongs to.
    /// <inheritdoc/>
    public void Settle(EngineTensor x) => ((MlxTensor)x).Row(0);

    /// <inheritdoc/>
    public ReadOnlySpan<float> Row(EngineTensor x, int row) => ((MlxTensor)x).Row(row);

    /// <inheritdoc/>
    public void ForEach(int count, Action<int> body) => _host.ForEach(count, body);

    /// <inheritdoc/>
    public int FirstNonFiniteRow(EngineTensor x)
    {
        var tensor = (MlxTensor)x;
        for (int row = 0; row < tensor.Rows; row++)
        {
            if (!System.Numerics.Tensors.TensorPrimitives.IsFiniteAll(tensor.Row(row)))
            {
                return row;
            }
        }

        return -1;
    }

    /// <inheritdoc/>
    public void Dispose() => _runtime.Run(() =>
    {
        if (!_disposed)
        {
            _disposed = true;
            _weights.ForEach(weight => weight.Dispose());
            _weights.Clear();
            ForgetAngles();
            ForgetMasks();
            _ops.Clear();
            _host.Dispose();
            MlxRuntime.Check(MlxNative.ClearCache());
        }

        return true;
    });

    private static MlxArray ArrayOf(EngineTensor x) => ((MlxTensor)x).Array;

    // A weight that is computed once instead of with every graph that uses it.
    private MlxArray Settled(MlxOperations.Scope scope, MlxArray array)
    {
        _ops.Evaluate(array);
        return scope.Keep(array);
    }

    private T Own<T>(T weight)
        where T : IDisposable
    {
        _weights.Add(weight);
        return weight;
    }

    private MlxVector Wrapped(CpuVector host) => new(host, values =>
    {
        using MlxOperations.Scope scope = _ops.Begin();
        return Settled(scope, _ops.New(values, Type, values.Length));
    });

    private MlxTensor Tensor(MlxOperations.Scope scope, MlxArray array, int rows, int width)
    {
        var tensor = new MlxTensor(_ops, _tensors, scope.Keep(array), rows, width);
        _tensors.Add(tensor);
        return tensor;
    }

    private void Update(EngineTensor x, Func<MlxArray, MlxArray> change)
    {
        var tensor = (MlxTensor)x;
        using MlxOperations.Scope scope = _ops.Begin();
        tensor.Array = scope.Keep(change(tensor.Array));
    }

    private Func<MlxMatrixArrays> Loader(WeightStore store, string name, int slice, int slices, int outputs, int inputs, bool transposed)
    {
        MappedTensor stored = store.Get(name);
        if (_type is null)
        {
            long keep = _options.CacheLimit ?? Math.Max(16_000_000, store.Bytes / 20);
            MlxRuntime.Check(MlxNative.SetCacheLimit(out _, (nuint)keep));
        }

        if (stored.Info.DType != DType.U32)
        {
            _type ??= MlxOperations.TypeOf(stored.Info.DType);
            return () =>
            {
                using MlxOperations.Scope scope = _ops.Begin();
                int[] shape = transposed ? [inputs, outputs] : [outputs, inputs];
                return new MlxMatrixArrays { Weights = Upload(scope, stored, slice, slices, shape), Transposed = transposed };
            };
        }

        string module = name[..^".weight".Length];
        (int bits, int group) = store.Quantization!.Of(module);
        MappedTensor scales = store.Get(module + ".scales");
        MappedTensor biases = store.Get(module + ".biases");
        _type ??= MlxOperations.TypeOf(scales.Info.DType);
        return () =>
        {
            using MlxOperations.Scope scope = _ops.Begin();
            return new MlxMatrixArrays
            {
                Weights = Upload(scope, stored, slice, slices, [outputs, inputs * bits / 32]),
                Scales = Upload(scope, scales, slice, slices, [outputs, inputs / group]),
                Biases = Upload(scope, biases, slice, slices, [outputs, inputs / group]),
                Quantization = (group, bits),
            };
        };
    }

    private MlxArray Upload(MlxOperations.Scope scope, MappedTensor stored, int slice, int slices, int[] shape)
    {
        long length = stored.Info.ByteLength / slices;
        byte* data = stored.Data + (slice * length);
        MlxArray array = scope.Keep(_ops.New(data, MlxOperations.TypeOf(stored.Info.DType), shape));
        MemoryPages.Forget(data, length);
        return array;
    }
}
