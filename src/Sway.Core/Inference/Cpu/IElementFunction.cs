using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sway.Numerics;

namespace Sway.Inference.Cpu;

/// <summary>A function of one number, sixteen at once.</summary>
internal interface IElementFunction
{
    /// <summary>The values for sixteen arguments.</summary>
    static abstract Vector512<float> Of(Vector512<float> x);
}

/// <summary>x sigmoid(x).</summary>
internal readonly struct SiluFunction : IElementFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> x) => x / (Vector512<float>.One + Exponential.Of(-x));
}

/// <summary>0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).</summary>
internal readonly struct GeluTanhFunction : IElementFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> x)
    {
        var twice = Vector512.Create(1.5957691216057308f) * (x + (Vector512.Create(0.044715f) * x * x * x));
        return x / (Vector512<float>.One + Exponential.Of(-twice));
    }
}

/// <summary>Rows through element functions; an element's bits depend on its value alone.</summary>
internal static unsafe class ElementFunction
{
    private const int Lanes = 16;

    /// <summary>y = f(x) for each element; both may be the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Map<TFunction>(float* x, float* y, int count)
        where TFunction : struct, IElementFunction
    {
        var i = 0;
        for (; i + Lanes <= count; i += Lanes)
        {
            TFunction.Of(Vector512.Load(x + i)).Store(y + i);
        }

        if (i < count)
        {
            var rest = stackalloc float[Lanes];
            new Span<float>(x + i, count - i).CopyTo(new Span<float>(rest, Lanes));
            TFunction.Of(Vector512.Load(rest)).Store(rest);
            new Span<float>(rest, count - i).CopyTo(new Span<float>(y + i, count - i));
        }
    }
}
