using Sway.Tensors;

namespace Sway.Inference.Mlx;

/// <summary>
/// The operations of MLX on arrays, each a node of a lazy graph. Arrays that are made within a scope are freed at its end but for those
/// that are kept. Used on the owning thread only.
/// </summary>
internal sealed unsafe partial class MlxOperations(MlxRuntime runtime)
{
    private readonly List<MlxArray> _made = [];
    private readonly Dictionary<(double Value, MlxType Type), MlxArray> _numbers = [];

    /// <summary>The runtime that the arrays belong to.</summary>
    public MlxRuntime Runtime { get; } = runtime;

    /// <summary>Begins a scope.</summary>
    public Scope Begin() => new(this, _made.Count);

    /// <summary>An array with a copy of data.</summary>
    public MlxArray New(void* data, MlxType type, params ReadOnlySpan<int> shape)
    {
        fixed (int* sizes = shape)
        {
            nint array = MlxNative.NewArray(data, sizes, shape.Length, type);
            if (array == 0)
            {
                MlxRuntime.Throw();
            }

            return Made(array);
        }
    }

    /// <summary>An array with a copy of numbers, in a type of choice.</summary>
    public MlxArray New(ReadOnlySpan<float> values, MlxType type, params ReadOnlySpan<int> shape)
    {
        fixed (float* data = values)
        {
            MlxArray array = New(data, MlxType.Float32, shape);
            return Cast(array, type);
        }
    }

    /// <summary>An array of indices.</summary>
    public MlxArray Indices(ReadOnlySpan<int> values)
    {
        fixed (int* data = values)
        {
            return New(data, MlxType.Int32, values.Length);
        }
    }

    /// <summary>A number of no dimension, kept for the next time.</summary>
    public MlxArray Number(double value, MlxType type)
    {
        if (!_numbers.TryGetValue((value, type), out MlxArray? number))
        {
            using Scope scope = Begin();
            float single = (float)value;
            _numbers[(value, type)] = number = scope.Keep(Cast(New(&single, MlxType.Float32), type));
        }

        return number;
    }

    public MlxArray Add(MlxArray a, MlxArray b) => Made((ref nint r) => MlxNative.Add(ref r, a, b, Runtime.Stream));

    public MlxArray Subtract(MlxArray a, MlxArray b) => Made((ref nint r) => MlxNative.Subtract(ref r, a, b, Runtime.Stream));

    public MlxArray Multiply(MlxArray a, MlxArray b) => Made((ref nint r) => MlxNative.Multiply(ref r, a, b, Runtime.Stream));

    public MlxArray Multiply(MlxArray a, double factor) => factor == 1.0 ? a : Multiply(a, Number(factor, a.Type));

    public MlxArray Divide(MlxArray a, double divisor) => Made((ref nint r) => MlxNative.Divide(ref r, a, Number(divisor, a.Type), Runtime.Stream));

    public MlxArray Maximum(MlxArray a, double b) => Made((ref nint r) => MlxNative.Maximum(ref r, a, Number(b, a.Type), Runtime.Stream));

    public MlxArray Minimum(MlxArray a, double b) => Made((ref nint r) => MlxNative.Minimum(ref r, a, Number(b, a.Type), Runtime.Stream));

    public MlxArray MatMul(MlxArray a, MlxArray b) => Made((ref nint r) => MlxNative.MatMul(ref r, a, b, Runtime.Stream));

    public MlxArray Where(MlxArray condition, MlxArray a, MlxArray b) => Made((ref nint r) => MlxNative.Where(ref r, condition, a, b, Runtime.Stream));

    public MlxArray Sigmoid(MlxArray a) => Made((ref nint r) => MlxNative.Sigmoid(ref r, a, Runtime.Stream));

    public MlxArray Tanh(MlxArray a) => Made((ref nint r) => MlxNative.Tanh(ref r, a, Runtime.Stream));

    public MlxArray Erf(MlxArray a) => Made((ref nint r) => MlxNative.Erf(ref r, a, Runtime.Stream));

    public MlxArray Cast(MlxArray a, MlxType type) => a.Type == type ? a : Made((ref nint r) => MlxNative.Cast(ref r, a, type, Runtime.Stream));

    public MlxArray Contiguous(MlxArray a) => Made((ref nint r) => MlxNative.Contiguous(ref r, a, 0, Runtime.Stream));

    public MlxArray Sum(MlxArray a, int axis) => Made((ref nint r) => MlxNative.Sum(ref r, a, axis, 0, Runtime.Stream));

    public MlxArray SoftMax(MlxArray a, int axis) => Made((ref nint r) => MlxNative.SoftMax(ref r, a, axis, 1, Runtime.Stream));

    public MlxArray Take(MlxArray a, ReadOnlySpan<int> indices, int axis)
    {
        MlxArray list = Indices(indices);
        return Made((ref nint r) => MlxNative.Take(ref r, a, list, axis, Runtime.Stream));
    }

    public MlxArray RmsNorm(MlxArray x, MlxArray weight, double epsilon) =>
        Made((ref nint r) => MlxNative.RmsNorm(ref r, x, weight, (float)epsilon, Runtime.Stream));

    public MlxArray LayerNorm(MlxArray x, MlxArray weight, MlxArray bias, double epsilon) =>
        Made((ref nint r) => MlxNative.LayerNorm(ref r, x, weight, bias, (float)epsilon, Runtime.Stream));

    public MlxArray QuantizedMatMul(MlxArray x, MlxArray words, MlxArray scales, MlxArray biases, int group, int bits) =>
        Made((ref nint r) => MlxNative.QuantizedMatMul(
            ref r, x, words, scales, biases, 1, new OptionalInt(group), new OptionalInt(bits), "affine", Runtime.Stream));

    public MlxArray Attention(MlxArray query, MlxArray key, MlxArray value, double scale, string maskMode, MlxArray mask, MlxArray sinks) =>
        Made((ref nint r) => MlxNative.Attention(ref r, query, key, value, (float)scale, maskMode, mask, sinks, Runtime.Stream));

    /// <summary>Computes an array.</summary>
    public void Evaluate(MlxArray a)
    {
        nint vector = Vector([a]);
        try
        {
            MlxRuntime.Check(MlxNative.Evaluate(vector));
        }
        finally
        {
            _ = MlxNative.FreeVector(vector);
        }
    }

    /// <summary>The type of MLX for a type of files.</summary>
    public static MlxType TypeOf(DType type) => type switch
    {
        DType.F32 => MlxType.Float32,
        DType.F16 => MlxType.Float16,
        DType.BF16 => MlxType.BFloat16,
        DType.U32 => MlxType.UInt32,
        _ => throw new UnsupportedModelException($"MLX does not compute with {type}."),
    };

    /// <summary>Hands an array that was kept to the scope that is open now.</summary>
    public MlxArray Adopt(MlxArray array)
    {
        _made.Add(array);
        return array;
    }

    /// <summary>Frees the numbers that were kept.</summary>
    public void Clear()
    {
        foreach (MlxArray number in _numbers.Values)
        {
            number.Dispose();
        }

        _numbers.Clear();
    }

    private delegate int Call(ref nint result);

    private static nint Vector(IReadOnlyList<MlxArray> arrays)
    {
        nint[] handles = [.. arrays.Select(array => array.DangerousGetHandle())];
        fixed (nint* first = handles)
        {
            nint vector = MlxNative.NewVector(first, (nuint)handles.Length);
            GC.KeepAlive(arrays);
            return vector;
        }
    }

    private MlxArray Made(Call call)
    {
        nint result = 0;
        return Made(call(ref result), result);
    }

    private MlxArray Made(int status, nint result)
    {
        MlxRuntime.Check(status);
        return Made(result);
    }

    private MlxArray Made(nint result)
    {
        var array = new MlxArray(Runtime, result);
        _made.Add(array);
        return array;
    }

    /// <summary>Frees at its end what was made within it and not kept.</summary>
    public readonly struct Scope(MlxOperations owner, int start) : IDisposable
    {
        /// <summary>Takes an array out of the scope; whoever keeps it frees it. An array of somebody else's gets a second handle.</summary>
        public MlxArray Keep(MlxArray array)
        {
            int at = owner._made.LastIndexOf(array);
            if (at < start)
            {
                array = owner.Reshape(array, array.Shape);
                at = owner._made.Count - 1;
            }

            owner._made.RemoveAt(at);
            return array;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            for (int i = owner._made.Count - 1; i >= start; i--)
            {
                owner._made[i].Dispose();
            }

            owner._made.RemoveRange(start, owner._made.Count - start);
        }
    }
}
