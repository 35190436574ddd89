using Sway.Inference.Cpu;

namespace Sway.Inference.Mlx;

/// <summary>Activations of the MLX engine: an array (rows, width) that operations replace by another.</summary>
/// <param name="operations">Computes the elements.</param>
/// <param name="living">The engine's tensors that are not disposed yet.</param>
/// <param name="array">The elements.</param>
/// <param name="rows">Number of rows.</param>
/// <param name="width">Elements of a row.</param>
internal sealed unsafe class MlxTensor(MlxOperations operations, HashSet<MlxTensor> living, MlxArray array, int rows, int width)
    : EngineTensor(rows, width)
{
    private MlxArray _array = array;
    private MlxArray? _plain;
    private float* _data;

    /// <summary>The elements; set by operations in place, which frees the former array.</summary>
    public MlxArray Array
    {
        get => _array;
        set
        {
            Forget();
            if (!ReferenceEquals(_array, value))
            {
                _array.Dispose();
                _array = value;
            }
        }
    }

    /// <summary>Computes the elements. Afterwards they can be read from any thread, until the tensor changes or is disposed.</summary>
    public float* Data
    {
        get
        {
            if (_data == null)
            {
                using MlxOperations.Scope scope = operations.Begin();
                _plain = scope.Keep(operations.Contiguous(operations.Cast(_array, MlxType.Float32)));
                operations.Evaluate(_plain);
                _data = MlxNative.Data(_plain);
                if (_plain.Type == _array.Type)
                {
                    // Later operations start from what is computed now instead of the graph behind it.
                    _array.Dispose();
                    _array = _plain;
                }
            }

            return _data;
        }
    }

    /// <summary>A row's elements.</summary>
    public ReadOnlySpan<float> Row(int row) => new(Data + ((long)row * Width), Width);

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (living.Remove(this))
        {
            Forget();
            _array.Dispose();
        }
    }

    private void Forget()
    {
        if (_plain is not null && !ReferenceEquals(_plain, _array))
        {
            _plain.Dispose();
        }

        _plain = null;
        _data = null;
    }
}

/// <summary>A matrix (outputs, inputs) of the MLX engine. Rows and norms are read where it is stored; the array is made when first multiplied.</summary>
/// <param name="host">The matrix where it is stored.</param>
/// <param name="load">Makes the arrays.</param>
internal sealed class MlxMatrix(CpuMatrix host, Func<MlxMatrixArrays> load) : EngineWeight, IDisposable
{
    private MlxMatrixArrays? _arrays;

    /// <summary>The matrix where it is stored.</summary>
    public CpuMatrix Host { get; } = host;

    /// <summary>Number of outputs.</summary>
    public int Outputs => Host.Panels.Outputs;

    /// <summary>The arrays.</summary>
    public MlxMatrixArrays Arrays => _arrays ??= load();

    /// <inheritdoc/>
    public void Dispose()
    {
        _arrays?.Dispose();
        _arrays = null;
    }
}

/// <summary>The arrays of a matrix.</summary>
internal sealed record MlxMatrixArrays : IDisposable
{
    /// <summary>The weights (outputs, inputs), or words of quantized ones.</summary>
    public required MlxArray Weights { get; init; }

    /// <summary>Whether <see cref="Weights"/> is stored as (inputs, outputs).</summary>
    public bool Transposed { get; init; }

    /// <summary>Scales (outputs, groups) of quantized weights.</summary>
    public MlxArray? Scales { get; init; }

    /// <summary>Biases of quantized weights.</summary>
    public MlxArray? Biases { get; init; }

    /// <summary>Group size and bits of quantized weights.</summary>
    public (int Group, int Bits) Quantization { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Weights.Dispose();
        Scales?.Dispose();
        Biases?.Dispose();
    }
}

/// <summary>A vector of the MLX engine.</summary>
/// <param name="host">The numbers in float32.</param>
/// <param name="load">Makes the array.</param>
internal sealed class MlxVector(CpuVector host, Func<float[], MlxArray> load) : EngineWeight, IDisposable
{
    private MlxArray? _array;
    private MlxArray? _plusOne;

    /// <summary>The numbers in float32.</summary>
    public CpuVector Host { get; } = host;

    /// <summary>The array.</summary>
    public MlxArray Array => _array ??= load(Host.Values);

    /// <summary>The array of all numbers plus one.</summary>
    public MlxArray PlusOne => _plusOne ??= load([.. Host.Values.Select(value => value + 1f)]);

    /// <inheritdoc/>
    public void Dispose()
    {
        _array?.Dispose();
        _plusOne?.Dispose();
        (_array, _plusOne) = (null, null);
    }
}
