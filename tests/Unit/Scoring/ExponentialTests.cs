using System.Runtime.Intrinsics;
using Sway.Inference.Cpu;
using Sway.Numerics;

namespace Sway.Unit.Scoring;

/// <summary>e^x against the library's double, over the whole range and at its ends.</summary>
public sealed unsafe class ExponentialTests
{
    [Fact]
    public void Single_precision_is_within_the_stated_error()
    {
        for (float x = -87.3f; x < 88f; x += 0.00137f)
        {
            double want = Math.Exp(x);
            double got = Exponential.Of(Vector512.Create(x))[5];
            Math.Abs((got - want) / want).ShouldBeLessThan(1.5e-7, $"e^{x}");
        }
    }

    [Fact]
    public void Double_precision_is_within_the_stated_error()
    {
        for (double x = -707.9; x < 708.9; x += 0.0137)
        {
            double want = Math.Exp(x);
            double got = Exponential.Of(Vector512.Create(x))[3];
            Math.Abs((got - want) / want).ShouldBeLessThan(3e-16, $"e^{x}");
        }
    }

    [Fact]
    public void Ends_are_zero_infinity_one_and_no_number()
    {
        (float X, float Want)[] singles =
            [(0f, 1f), (-0f, 1f), (float.NegativeInfinity, 0f), (-1e30f, 0f), (-87.34f, 0f), (89f, float.PositiveInfinity), (float.MaxValue, float.PositiveInfinity), (float.NaN, float.NaN)];
        foreach ((float x, float want) in singles)
        {
            Exponential.Of(Vector512.Create(x))[0].ShouldBe(want);
        }

        (double X, double Want)[] doubles =
            [(0.0, 1.0), (-0.0, 1.0), (double.NegativeInfinity, 0.0), (-709.0, 0.0), (709.5, double.PositiveInfinity), (1e300, double.PositiveInfinity), (double.NaN, double.NaN)];
        foreach ((double x, double want) in doubles)
        {
            Exponential.Of(Vector512.Create(x))[7].ShouldBe(want);
        }
    }

    [Fact]
    public void A_row_of_any_length_has_the_bits_of_its_elements()
    {
        var random = new Random(5);
        float[] x = [.. Enumerable.Range(0, 50).Select(_ => (float)((random.NextDouble() - 0.5) * 30.0))];
        for (int count = 0; count <= x.Length; count++)
        {
            float[] y = [.. Enumerable.Repeat(7f, 51)];
            fixed (float* px = x, py = y)
            {
                ElementFunction.Map<SiluFunction>(px, py, count);
            }

            for (int i = 0; i < count; i++)
            {
                y[i].ShouldBe(SiluFunction.Of(Vector512.Create(x[i]))[0]);
                y[i].ShouldBe((float)(x[i] / (1.0 + Math.Exp(-x[i]))), 1e-6f * Math.Max(1f, Math.Abs(x[i])));
            }

            y[count].ShouldBe(7f);
        }
    }

    [Fact]
    public void A_softmax_row_is_that_of_doubles_and_keeps_what_lies_behind()
    {
        var random = new Random(6);
        foreach (int count in (int[])[1, 15, 16, 17, 31, 33, 500])
        {
            float[] x = [.. Enumerable.Range(0, count + 1).Select(_ => (float)((random.NextDouble() - 0.5) * 40.0))];
            double[] scaled = [.. x.Take(count).Select(value => (double)(value * 0.125f))];
            double greatest = scaled.Max();
            float behind = x[count];
            fixed (float* row = x)
            {
                float max = SoftmaxRow.Scale(row, count, 0.125f);
                ((double)max).ShouldBe(greatest);
                double sum = SoftmaxRow.Exponentiate(row, count, max);
                sum.ShouldBe(scaled.Sum(value => Math.Exp(value - greatest)), 1e-5 * count);
            }

            for (int i = 0; i < count; i++)
            {
                ((double)x[i]).ShouldBe(Math.Exp(scaled[i] - greatest), 1e-6);
            }

            x[count].ShouldBe(behind);
        }
    }

    [Fact]
    public void What_is_not_a_number_is_not_lost_in_a_softmax()
    {
        float[] x = [1f, 2f, float.NaN, 3f];
        fixed (float* row = x)
        {
            float max = SoftmaxRow.Scale(row, 4, 1f);
            double.IsNaN(SoftmaxRow.Exponentiate(row, 4, max)).ShouldBeTrue();
        }
    }
}
