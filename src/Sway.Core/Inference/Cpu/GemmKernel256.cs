using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>
/// Register tiles over <c>Vector256</c>: 6 x 16 outputs, and 3 and 1 rows for what is left.
/// Each output is one chain of fused multiply-adds in ascending k, so its bits do not depend on the tile that made it.
/// </summary>
internal sealed unsafe partial class GemmKernel256 : GemmKernel
{
    // Eight steps of k: a panel comes from the second-level cache.
    private const int Ahead = 8 * 16;

    /// <inheritdoc/>
    public override int TileRows => 6;

    /// <inheritdoc/>
    public override int SmallRows => 3;

    /// <inheritdoc/>
    public override int Columns => 16;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Full(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        var c0x = Vector256<float>.Zero; var c0y = Vector256<float>.Zero;
        var c1x = Vector256<float>.Zero; var c1y = Vector256<float>.Zero;
        var c2x = Vector256<float>.Zero; var c2y = Vector256<float>.Zero;
        var c3x = Vector256<float>.Zero; var c3y = Vector256<float>.Zero;
        var c4x = Vector256<float>.Zero; var c4y = Vector256<float>.Zero;
        var c5x = Vector256<float>.Zero; var c5y = Vector256<float>.Zero;
        Prefetch.Rows(c, stride, TileRows, Columns);
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector256.Load(b);
                var by = Vector256.Load(b + 8);
                b += 16;
                Prefetch.Panel(b + Ahead);
                Prefetch.Line(next);
                next += step;
                var s = Vector256.Create(a[0]);
                c0x = Vector256.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector256.FusedMultiplyAdd(s, by, c0y);
                s = Vector256.Create(a[1]);
                c1x = Vector256.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector256.FusedMultiplyAdd(s, by, c1y);
                s = Vector256.Create(a[2]);
                c2x = Vector256.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector256.FusedMultiplyAdd(s, by, c2y);
                s = Vector256.Create(a[3]);
                c3x = Vector256.FusedMultiplyAdd(s, bx, c3x);
                c3y = Vector256.FusedMultiplyAdd(s, by, c3y);
                s = Vector256.Create(a[4]);
                c4x = Vector256.FusedMultiplyAdd(s, bx, c4x);
                c4y = Vector256.FusedMultiplyAdd(s, by, c4y);
                s = Vector256.Create(a[5]);
                c5x = Vector256.FusedMultiplyAdd(s, bx, c5x);
                c5y = Vector256.FusedMultiplyAdd(s, by, c5y);
                a += 6;
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
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Small(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector256<float>.Zero; var c0y = Vector256<float>.Zero;
        var c1x = Vector256<float>.Zero; var c1y = Vector256<float>.Zero;
        var c2x = Vector256<float>.Zero; var c2y = Vector256<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector256.Load(b);
                var by = Vector256.Load(b + 8);
                b += 16;
                var s = Vector256.Create(a[0]);
                c0x = Vector256.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector256.FusedMultiplyAdd(s, by, c0y);
                s = Vector256.Create(a[1]);
                c1x = Vector256.FusedMultiplyAdd(s, bx, c1x);
                c1y = Vector256.FusedMultiplyAdd(s, by, c1y);
                s = Vector256.Create(a[2]);
                c2x = Vector256.FusedMultiplyAdd(s, bx, c2x);
                c2y = Vector256.FusedMultiplyAdd(s, by, c2y);
                a += 3;
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
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Single(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail)
    {
        var c0x = Vector256<float>.Zero; var c0y = Vector256<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                var bx = Vector256.Load(b);
                var by = Vector256.Load(b + 8);
                b += 16;
                var s = Vector256.Create(a[0]);
                c0x = Vector256.FusedMultiplyAdd(s, bx, c0x);
                c0y = Vector256.FusedMultiplyAdd(s, by, c0y);
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
    private static void Put(Vector256<float> x, Vector256<float> y, float* c, bool add)
    {
        if (add)
        {
            Take(ref x, ref y, c);
        }

        x.Store(c);
        y.Store(c + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(ref Vector256<float> x, ref Vector256<float> y, float* c)
    {
        x += Vector256.Load(c);
        y += Vector256.Load(c + 8);
    }
}
