namespace Sway.Inference.Mlx;

/// <summary>Operations that move elements and compute none.</summary>
internal sealed unsafe partial class MlxOperations
{
    public MlxArray Reshape(MlxArray a, params ReadOnlySpan<int> shape)
    {
        fixed (int* sizes = shape)
        {
            nint result = 0;
            return Made(MlxNative.Reshape(ref result, a, sizes, (nuint)shape.Length, Runtime.Stream), result);
        }
    }

    public MlxArray Broadcast(MlxArray a, params ReadOnlySpan<int> shape)
    {
        fixed (int* sizes = shape)
        {
            nint result = 0;
            return Made(MlxNative.Broadcast(ref result, a, sizes, (nuint)shape.Length, Runtime.Stream), result);
        }
    }

    public MlxArray Transpose(MlxArray a, params ReadOnlySpan<int> axes)
    {
        fixed (int* order = axes)
        {
            nint result = 0;
            return Made(MlxNative.Transpose(ref result, a, order, (nuint)axes.Length, Runtime.Stream), result);
        }
    }

    /// <summary>Elements first ... first + count - 1 of one axis.</summary>
    public MlxArray Slice(MlxArray a, int axis, int first, int count)
    {
        int[] shape = a.Shape;
        if (first == 0 && count == shape[axis])
        {
            return a;
        }

        Range(shape, axis, first, count, out int[] start, out int[] stop, out int[] ones);
        fixed (int* from = start, to = stop, step = ones)
        {
            nint result = 0;
            nuint n = (nuint)shape.Length;
            return Made(MlxNative.Slice(ref result, a, from, n, to, n, step, n, Runtime.Stream), result);
        }
    }

    /// <summary>A copy of a with other elements from <paramref name="first"/> on, along one axis.</summary>
    public MlxArray Replace(MlxArray a, MlxArray update, int axis, int first)
    {
        int[] shape = a.Shape;
        int count = update.Shape[axis];
        if (first == 0 && count == shape[axis])
        {
            return update;
        }

        Range(shape, axis, first, count, out int[] start, out int[] stop, out int[] ones);
        fixed (int* from = start, to = stop, step = ones)
        {
            nint result = 0;
            nuint n = (nuint)shape.Length;
            return Made(MlxNative.SliceUpdate(ref result, a, update, from, n, to, n, step, n, Runtime.Stream), result);
        }
    }

    public MlxArray Concatenate(IReadOnlyList<MlxArray> arrays, int axis)
    {
        if (arrays.Count == 1)
        {
            return arrays[0];
        }

        nint vector = Vector(arrays);
        try
        {
            return Made((ref nint r) => MlxNative.Concatenate(ref r, vector, axis, Runtime.Stream));
        }
        finally
        {
            _ = MlxNative.FreeVector(vector);
        }
    }

    private static void Range(int[] shape, int axis, int first, int count, out int[] start, out int[] stop, out int[] ones)
    {
        // A wrong index can end the process instead of failing.
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, shape[axis]);
        start = new int[shape.Length];
        start[axis] = first;
        stop = [.. shape];
        stop[axis] = first + count;
        ones = new int[shape.Length];
        Array.Fill(ones, 1);
    }
}
