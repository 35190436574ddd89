using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>
/// Register tiles over <c>Vector512</c>: 12 x 32 outputs, and 4 and 1 rows for what is left.
/// Each output is one chain of fused multiply-adds in ascending k, so its bits do not depend on the tile that made it.
/// </summary>
internal sealed unsafe partial class GemmKernel512 : GemmKernel
{
    // Eight steps of k: a panel comes from the second-level cache.
    private const int Ahead = 8 * 32;

    /// <inheritdoc/>
    public override int TileRows => 12;

    /// <inheritdoc/>
    public override int SmallRows => 4;

    /// <inheritdoc/>
    public override int Columns => 32;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Full(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        var c0x = Vector512<float>.Zero; var c0y = Vector512<float>.Zero;
        var c1x = Vector512<float>.Zero; var c1y = Vector512<float>.Zero;
        var c2x = Vector512<float>.Zero; var c2y = Vector512<float>.Zero;
        var c3x = Vector512<float>.Zero; var c3y = Vector512<float>.Zero;
        var c4x = Vector512<float>.Zero; var c4y = Vector512<float>.Zero;
        var c5x = Vector512<float>.Zero; var c5y = Vector512<float>.Zero;
        var c6x = Vector512<float>.Zero; var c6y = Vector512<float>.Zero;
        var c7x = Vector512<float>.Zero; var c7y = Vector512<float>.Zero;
        var c8x = Vector512<float>.Zero; var c8y = Vector512<float>.Zero;
        var c9x = Vector512<float>.Zero; var c9y = Vector512<float>.Zero;
        var c10x = Vector512<float>.Zero; var c10y = Vector512<float>.Zero;
        var c11x = Vector512<float>.Zero; var c11y = Vector512<float>.Zero;
        Prefetch.Rows(c, stride, TileRows, Columns);
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector512.Load(b);
                var by = Vector512.Load(b + 16);
                b += 32;
                Prefetch.Panel(b + Ahead);
                Prefetch.Panel(b + Ahead + 16);
                Prefetch.Line(next);
                next += step;
                var s = Vector512.Create(a[0]);
                c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector512.FusedMultiplyAdd(s, by, c0y);
                s = Vector512.Create(a[1]);
                c1x = Vector512.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector512.FusedMultiplyAdd(s, by, c1y);
                s = Vector512.Create(a[2]);
                c2x = Vector512.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector512.FusedMultiplyAdd(s, by, c2y);
                s = Vector512.Create(a[3]);
                c3x = Vector512.FusedMultiplyAdd(s, bx, c3x);
                c3y = Vector512.FusedMultiplyAdd(s, by, c3y);
                s = Vector512.Create(a[4]);
                c4x = Vector512.FusedMultiplyAdd(s, bx, c4x);
                c4y = Vector512.FusedMultiplyAdd(s, by, c4y);
                s = Vector512.Create(a[5]);
                c5x = Vector512.FusedMultiplyAdd(s, bx, c5x);
                c5y = Vector512.FusedMultiplyAdd(s, by, c5y);
                s = Vector512.Create(a[6]);
                c6x = Vector512.FusedMultiplyAdd(s, bx, c6x);
                c6y = Vector512.FusedMultiplyAdd(s, by, c6y);
                s = Vector512.Create(a[7]);
                c7x = Vector512.FusedMultiplyAdd(s, bx, c7x);
                c7y = Vector512.FusedMultiplyAdd(s, by, c7y);
                s = Vector512.Create(a[8]);
                c8x = Vector512.FusedMultiplyAdd(s, bx, c8x);
                c8y = Vector512.FusedMultiplyAdd(s, by, c8y);
                s = Vector512.Create(a[9]);
                c9x = Vector512.FusedMultiplyAdd(s, bx, c9x);
                c9y = Vector512.FusedMultiplyAdd(s, by, c9y);
                s = Vector512.Create(a[10]);
                c10x = Vector512.FusedMultiplyAdd(s, bx, c10x);
                c10y = Vector512.FusedMultiplyAdd(s, by, c10y);
                s = Vector512.Create(a[11]);
                c11x = Vector512.FusedMultiplyAdd(s, bx, c11x);
                c11y = Vector512.FusedMultiplyAdd(s, by, c11y);
                a += 12;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                Take(ref c1x, ref c1y, c + stride);
                Take(ref c2x, ref c2y, c + (2 * stride));
                Take(ref c3x, ref c3y, c + (3 * stride));
                Take(ref c4x, ref c4y, c + (4 * stride));
                Take(ref c5x, ref c5y, c + (5 * stride));
                Take(ref c6x, ref c6y, c + (6 * stride));
                Take(ref c7x, ref c7y, c + (7 * stride));
                Take(ref c8x, ref c8y, c + (8 * stride));
                Take(ref c9x, ref c9y, c + (9 * stride));
                Take(ref c10x, ref c10y, c + (10 * stride));
                Take(ref c11x, ref c11y, c + (11 * stride));
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
            step = 0;
        }

        Put(c0x, c0y, c, add);
        Put(c1x, c1y, c + stride, add);
        Put(c2x, c2y, c + (2 * stride), add);
        Put(c3x, c3y, c + (3 * stride), add);
        Put(c4x, c4y, c + (4 * stride), add);
        Put(c5x, c5y, c + (5 * stride), add);
        Put(c6x, c6y, c + (6 * stride), add);
        Put(c7x, c7y, c + (7 * stride), add);
        Put(c8x, c8y, c + (8 * stride), add);
        Put(c9x, c9y, c + (9 * stride), add);
        Put(c10x, c10y, c + (10 * stride), add);
        Put(c11x, c11y, c + (11 * stride), add);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Small(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector512<float>.Zero; var c0y = Vector512<float>.Zero;
        var c1x = Vector512<float>.Zero; var c1y = Vector512<float>.Zero;
        var c2x = Vector512<float>.Zero; var c2y = Vector512<float>.Zero;
        var c3x = Vector512<float>.Zero; var c3y = Vector512<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector512.Load(b);
                var by = Vector512.Load(b + 16);
                b += 32;
                var s = Vector512.Create(a[0]);
                c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector512.FusedMultiplyAdd(s, by, c0y);
                s = Vector512.Create(a[1]);
                c1x = Vector512.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector512.FusedMultiplyAdd(s, by, c1y);
                s = Vector512.Create(a[2]);
                c2x = Vector512.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector512.FusedMultiplyAdd(s, by, c2y);
                s = Vector512.Create(a[3]);
                c3x = Vector512.FusedMultiplyAdd(s, bx, c3x);
                c3y = Vector512.FusedMultiplyAdd(s, by, c3y);
                a += 4;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                Take(ref c1x, ref c1y, c + stride);
                Take(ref c2x, ref c2y, c + (2 * stride));
                Take(ref c3x, ref c3y, c + (3 * stride));
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
        }

        Put(c0x, c0y, c, add);
        Put(c1x, c1y, c + stride, add);
        Put(c2x, c2y, c + (2 * stride), add);
        Put(c3x, c3y, c + (3 * stride), add);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Single(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector512<float>.Zero; var c0y = Vector512<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector512.Load(b);
                var by = Vector512.Load(b + 16);
                b += 32;
                var s = Vector512.Create(a[0]);
                c0x = Vector512.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector512.FusedMultiplyAdd(s, by, c0y);
                a += 1;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                Take(ref c0x, ref c0y, c);
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
        }

        Put(c0x, c0y, c, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector512<float> x, Vector512<float> y, float* c, bool add)
    {
        if (add)
        {
            Take(ref x, ref y, c);
        }

        x.Store(c);
        y.Store(c + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(ref Vector512<float> x, ref Vector512<float> y, float* c)
    {
        x += Vector512.Load(c);
        y += Vector512.Load(c + 16);
    }
}
