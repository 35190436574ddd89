using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>Activation functions, element by element; an element's bits depend on its value and the row's length alone.</summary>
internal static unsafe class Functions
{
    /// <summary>1 / (1 + e^-x).</summary>
    public static float Sigmoid(float x) => (float)(1.0 / (1.0 + Math.Exp(-x)));

    /// <summary>Applies an activation to a row; source and destination must not be the same.</summary>
    public static void Apply(Activation activation, ReadOnlySpan<float> source, Span<float> destination)
    {
        fixed (float* x = source, y = destination)
        {
            Apply(activation, x, y, source, destination);
        }
    }

    private static void Apply(Activation activation, float* x, float* y, ReadOnlySpan<float> source, Span<float> destination)
    {
        switch (activation)
        {
            case Activation.Silu:
                ElementFunction.Map<SiluFunction>(x, y, source.Length);
                break;
            case Activation.Gelu:
                for (var i = 0; i < source.Length; i++)
                {
                    double value = source[i];
                    destination[i] = (float)(0.5 * value * (1.0 + Erf(value * 0.70710678118654752440)));
                }

                break;
            case Activation.GeluTanh:
                ElementFunction.Map<GeluTanhFunction>(x, y, source.Length);
                break;
            case Activation.Relu:
                TensorPrimitives.Max(source, 0f, destination);
                break;
            default:
                TensorPrimitives.Max(source, 0f, destination);
                TensorPrimitives.Multiply(destination, destination, destination);
                break;
        }
    }

    /// <summary>cap * tanh(x / cap) in place.</summary>
    public static void SoftCap(float* x, int count, double cap)
    {
        var span = new Span<float>(x, count);
        TensorPrimitives.Divide(span, (float)cap, span);
        TensorPrimitives.Tanh(span, span);
        TensorPrimitives.Multiply(span, (float)cap, span);
    }

    /// <summary>The error function in double, absolute error below 1e-13.</summary>
    /// <remarks>Below 3 the Maclaurin series; above, the continued fraction of the complement (Abramowitz and Stegun 7.1.5, 7.1.14).</remarks>
    public static double Erf(double x)
    {
        var a = Math.Abs(x);
        if (a >= 6.0)
        {
            return Math.Sign(x);
        }

        if (a < 3.0)
        {
            var square = x * x;
            double term = x, sum = x;
            for (var n = 1; Math.Abs(term) > 1e-15; n++)
            {
                term *= -square / n;
                sum += term / ((2 * n) + 1);
            }

            return sum * 1.1283791670955125739;
        }

        // erfc(a) = e^(-a^2) / sqrt(pi) * 1 / (a + (1/2) / (a + 1 / (a + (3/2) / (a + ...))))
        var fraction = a;
        for (var n = 60; n >= 1; n--)
        {
            fraction = a + (n * 0.5 / fraction);
        }

        var complement = Math.Exp(-a * a) / (1.77245385090551602730 * fraction);
        return x > 0 ? 1.0 - complement : complement - 1.0;
    }
}
