using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>
/// Over <c>Vector512</c>: a register holds two rows of eight columns, so that eight columns fill it. The two rows lie side by side in the
/// interleaved tile and come as one broadcast; each column of the weights stands there twice.
/// </summary>
internal sealed unsafe class NarrowKernel512 : NarrowKernel
{
    private const int Columns = 8, Lanes = 16, MostGroups = 3, Pairs = 6;

    // Eight steps of k.
    private const int Ahead = 8 * Lanes;

    /// <inheritdoc/>
    public override long Floats(int outputs, int depth) => (long)Groups(outputs) * Lanes * depth;

    /// <inheritdoc/>
    public override void Put(float* packed, int outputs, int output, ReadOnlySpan<float> weights)
    {
        // Three groups of eight columns pass by together, then what is left.
        var group = output / Columns;
        var together = group / MostGroups * MostGroups;
        var width = Math.Min(MostGroups, Groups(outputs) - together) * Lanes;
        var to = packed + ((long)together * Lanes * weights.Length) + ((group - together) * Lanes) + (2 * (output % Columns));
        foreach (var weight in weights)
        {
            to[0] = to[1] = weight;
            to += width;
        }
    }

    /// <inheritdoc/>
    public override void Multiply(
        float* a, int height, int depth, float* packed, int outputs, float* results, WantedBytes next, WantedBytes also)
    {
        var sums = stackalloc float[MostGroups * Pairs * Lanes];
        for (var group = 0; group < Groups(outputs); group += MostGroups)
        {
            var groups = Math.Min(MostGroups, Groups(outputs) - group);
            Product(a, height, depth, packed + ((long)group * Lanes * depth), groups, sums, group == 0 ? next : default, group == 0 ? also : default);
            Spread(sums, height, Math.Min(groups * Columns, outputs - (group * Columns)), results + ((long)group * Columns * height));
        }
    }

    private static int Groups(int outputs) => (outputs + Columns - 1) / Columns;

    private static void Product(
        float* a, int height, int depth, float* b, int groups, float* sums, WantedBytes next, WantedBytes also)
    {
        var (step, step2) = (next.Step(depth), also.Step(depth));
        var length = MatrixProduct.BlockLength(depth);
        for (var k = 0; k < depth; k += length)
        {
            var count = Math.Min(length, depth - k);
            var x = a + ((nint)k * height);
            var y = b + ((nint)k * groups * Lanes);
            switch (height == 2 * Pairs ? groups : 0)
            {
                case 1:
                    TwelveEight(x, y, count, sums, k > 0, next.Address + (k * step), step, also.Address + (k * step2), step2);
                    break;
                case 2:
                    TwelveSixteen(x, y, count, sums, k > 0, next.Address + (k * step), step, also.Address + (k * step2), step2);
                    break;
                case 3:
                    TwelveTwentyFour(x, y, count, sums, k > 0, next.Address + (k * step), step, also.Address + (k * step2), step2);
                    break;
                default:
                    Few(x, height, y, groups, count, sums, k > 0);
                    break;
            }
        }
    }

    // From pairs of rows of eight columns to rows of one column after the other.
    private static void Spread(float* sums, int height, int outputs, float* results)
    {
        for (var output = 0; output < outputs; output++)
        {
            var from = sums + (output / Columns * Pairs * Lanes) + (2 * (output % Columns));
            for (var r = 0; r < height; r += 2, from += Lanes, results += 2)
            {
                if (height == 1)
                {
                    *results-- = *from;
                }
                else
                {
                    *(double*)results = *(double*)from;
                }
            }
        }
    }

    // Tiles of one row or of few.
    private static void Few(float* a, int height, float* b, int groups, int depth, float* c, bool add)
    {
        for (var group = 0; group < groups; group++)
        {
            for (var r = 0; r < height; r += 2)
            {
                var sum = Vector512<float>.Zero;
                for (var k = 0; k < depth; k++)
                {
                    var from = a + ((nint)k * height) + r;
                    sum = Vector512.FusedMultiplyAdd(height == 1 ? Vector512.Create(*from) : Two(from), Vector512.Load(b + ((((nint)k * groups) + group) * Lanes)), sum);
                }

                Put(sum, c + (((group * Pairs) + (r / 2)) * Lanes), add);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwelveEight(float* a, float* b, int depth, float* c, bool add, byte* next, nint step, byte* also, nint step2)
    {
        var c0x = Vector512<float>.Zero;
        var c1x = Vector512<float>.Zero;
        var c2x = Vector512<float>.Zero;
        var c3x = Vector512<float>.Zero;
        var c4x = Vector512<float>.Zero;
        var c5x = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            Prefetch.Line(next);
            Prefetch.Line(also);
            next += step;
            also += step2;
            var bx = Vector512.Load(b);
            Prefetch.Panel(b + Ahead);
            b += 16;
            var s = Two(a);
            c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
            s = Two(a + 2);
            c1x = Vector512.FusedMultiplyAdd(s, bx, c1x);
            s = Two(a + 4);
            c2x = Vector512.FusedMultiplyAdd(s, bx, c2x);
            s = Two(a + 6);
            c3x = Vector512.FusedMultiplyAdd(s, bx, c3x);
            s = Two(a + 8);
            c4x = Vector512.FusedMultiplyAdd(s, bx, c4x);
            s = Two(a + 10);
            c5x = Vector512.FusedMultiplyAdd(s, bx, c5x);
            a += 12;
        }

        Put(c0x, c, add);
        Put(c1x, c + 16, add);
        Put(c2x, c + 32, add);
        Put(c3x, c + 48, add);
        Put(c4x, c + 64, add);
        Put(c5x, c + 80, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwelveSixteen(float* a, float* b, int depth, float* c, bool add, byte* next, nint step, byte* also, nint step2)
    {
        var c0x = Vector512<float>.Zero; var c0y = Vector512<float>.Zero;
        var c1x = Vector512<float>.Zero; var c1y = Vector512<float>.Zero;
        var c2x = Vector512<float>.Zero; var c2y = Vector512<float>.Zero;
        var c3x = Vector512<float>.Zero; var c3y = Vector512<float>.Zero;
        var c4x = Vector512<float>.Zero; var c4y = Vector512<float>.Zero;
        var c5x = Vector512<float>.Zero; var c5y = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            Prefetch.Line(next);
            Prefetch.Line(also);
            next += step;
            also += step2;
            var bx = Vector512.Load(b);
            var by = Vector512.Load(b + 16);
            Prefetch.Panel(b + Ahead);
            Prefetch.Panel(b + Ahead + 16);
            b += 32;
            var s = Two(a);
            c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
            c0y = Vector512.FusedMultiplyAdd(s, by, c0y);
            s = Two(a + 2);
            c1x = Vector512.FusedMultiplyAdd(s, bx, c1x);
            c1y = Vector512.FusedMultiplyAdd(s, by, c1y);
            s = Two(a + 4);
            c2x = Vector512.FusedMultiplyAdd(s, bx, c2x);
            c2y = Vector512.FusedMultiplyAdd(s, by, c2y);
            s = Two(a + 6);
            c3x = Vector512.FusedMultiplyAdd(s, bx, c3x);
            c3y = Vector512.FusedMultiplyAdd(s, by, c3y);
            s = Two(a + 8);
            c4x = Vector512.FusedMultiplyAdd(s, bx, c4x);
            c4y = Vector512.FusedMultiplyAdd(s, by, c4y);
            s = Two(a + 10);
            c5x = Vector512.FusedMultiplyAdd(s, bx, c5x);
            c5y = Vector512.FusedMultiplyAdd(s, by, c5y);
            a += 12;
        }

        Put(c0x, c, add);
        Put(c1x, c + 16, add);
        Put(c2x, c + 32, add);
        Put(c3x, c + 48, add);
        Put(c4x, c + 64, add);
        Put(c5x, c + 80, add);
        Put(c0y, c + 96, add);
        Put(c1y, c + 112, add);
        Put(c2y, c + 128, add);
        Put(c3y, c + 144, add);
        Put(c4y, c + 160, add);
        Put(c5y, c + 176, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwelveTwentyFour(float* a, float* b, int depth, float* c, bool add, byte* next, nint step, byte* also, nint step2)
    {
        var c0x = Vector512<float>.Zero; var c0y = Vector512<float>.Zero; var c0z = Vector512<float>.Zero;
        var c1x = Vector512<float>.Zero; var c1y = Vector512<float>.Zero; var c1z = Vector512<float>.Zero;
        var c2x = Vector512<float>.Zero; var c2y = Vector512<float>.Zero; var c2z = Vector512<float>.Zero;
        var c3x = Vector512<float>.Zero; var c3y = Vector512<float>.Zero; var c3z = Vector512<float>.Zero;
        var c4x = Vector512<float>.Zero; var c4y = Vector512<float>.Zero; var c4z = Vector512<float>.Zero;
        var c5x = Vector512<float>.Zero; var c5y = Vector512<float>.Zero; var c5z = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            Prefetch.Line(next);
            Prefetch.Line(also);
            next += step;
            also += step2;
            var bx = Vector512.Load(b);
            var by = Vector512.Load(b + 16);
            var bz = Vector512.Load(b + 32);
            Prefetch.Panel(b + Ahead);
            Prefetch.Panel(b + Ahead + 16);
            Prefetch.Panel(b + Ahead + 32);
            b += 48;
            var s = Two(a);
            c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
            c0y = Vector512.FusedMultiplyAdd(s, by, c0y);
            c0z = Vector512.FusedMultiplyAdd(s, bz, c0z);
            s = Two(a + 2);
            c1x = Vector512.FusedMultiplyAdd(s, bx, c1x);
            c1y = Vector512.FusedMultiplyAdd(s, by, c1y);
            c1z = Vector512.FusedMultiplyAdd(s, bz, c1z);
            s = Two(a + 4);
            c2x = Vector512.FusedMultiplyAdd(s, bx, c2x);
            c2y = Vector512.FusedMultiplyAdd(s, by, c2y);
            c2z = Vector512.FusedMultiplyAdd(s, bz, c2z);
            s = Two(a + 6);
            c3x = Vector512.FusedMultiplyAdd(s, bx, c3x);
            c3y = Vector512.FusedMultiplyAdd(s, by, c3y);
            c3z = Vector512.FusedMultiplyAdd(s, bz, c3z);
            s = Two(a + 8);
            c4x = Vector512.FusedMultiplyAdd(s, bx, c4x);
            c4y = Vector512.FusedMultiplyAdd(s, by, c4y);
            c4z = Vector512.FusedMultiplyAdd(s, bz, c4z);
            s = Two(a + 10);
            c5x = Vector512.FusedMultiplyAdd(s, bx, c5x);
            c5y = Vector512.FusedMultiplyAdd(s, by, c5y);
            c5z = Vector512.FusedMultiplyAdd(s, bz, c5z);
            a += 12;
        }

        Put(c0x, c, add);
        Put(c1x, c + 16, add);
        Put(c2x, c + 32, add);
        Put(c3x, c + 48, add);
        Put(c4x, c + 64, add);
        Put(c5x, c + 80, add);
        Put(c0y, c + 96, add);
        Put(c1y, c + 112, add);
        Put(c2y, c + 128, add);
        Put(c3y, c + 144, add);
        Put(c4y, c + 160, add);
        Put(c5y, c + 176, add);
        Put(c0z, c + 192, add);
        Put(c1z, c + 208, add);
        Put(c2z, c + 224, add);
        Put(c3z, c + 240, add);
        Put(c4z, c + 256, add);
        Put(c5z, c + 272, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Two(float* rows) => Vector512.Create(*(double*)rows).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector512<float> x, float* c, bool add) => (add ? x + Vector512.Load(c) : x).Store(c);
}
