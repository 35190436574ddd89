using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

internal sealed unsafe partial class GemmKernel512
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void FullHalf(float* a, float* b, int depth, float* c, nint stride, bool add, ProductTail tail, byte* next, nint step)
    {
        var c0 = Vector512<float>.Zero;
        var c1 = Vector512<float>.Zero;
        var c2 = Vector512<float>.Zero;
        var c3 = Vector512<float>.Zero;
        var c4 = Vector512<float>.Zero;
        var c5 = Vector512<float>.Zero;
        var c6 = Vector512<float>.Zero;
        var c7 = Vector512<float>.Zero;
        var c8 = Vector512<float>.Zero;
        var c9 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                Prefetch.Line(next);
                next += step;
                Prefetch.Panel(b + Ahead);
                var x = Vector512.Load(b);
                c0 = Vector512.FusedMultiplyAdd(Vector512.Create(a[0]), x, c0);
                c1 = Vector512.FusedMultiplyAdd(Vector512.Create(a[1]), x, c1);
                c2 = Vector512.FusedMultiplyAdd(Vector512.Create(a[2]), x, c2);
                c3 = Vector512.FusedMultiplyAdd(Vector512.Create(a[3]), x, c3);
                c4 = Vector512.FusedMultiplyAdd(Vector512.Create(a[4]), x, c4);
                c5 = Vector512.FusedMultiplyAdd(Vector512.Create(a[5]), x, c5);
                c6 = Vector512.FusedMultiplyAdd(Vector512.Create(a[6]), x, c6);
                c7 = Vector512.FusedMultiplyAdd(Vector512.Create(a[7]), x, c7);
                c8 = Vector512.FusedMultiplyAdd(Vector512.Create(a[8]), x, c8);
                c9 = Vector512.FusedMultiplyAdd(Vector512.Create(a[9]), x, c9);
                c10 = Vector512.FusedMultiplyAdd(Vector512.Create(a[10]), x, c10);
                c11 = Vector512.FusedMultiplyAdd(Vector512.Create(a[11]), x, c11);
                a += 12;
                b += 16;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                c0 += Vector512.Load(c);
                c1 += Vector512.Load(c + stride);
                c2 += Vector512.Load(c + (2 * stride));
                c3 += Vector512.Load(c + (3 * stride));
                c4 += Vector512.Load(c + (4 * stride));
                c5 += Vector512.Load(c + (5 * stride));
                c6 += Vector512.Load(c + (6 * stride));
                c7 += Vector512.Load(c + (7 * stride));
                c8 += Vector512.Load(c + (8 * stride));
                c9 += Vector512.Load(c + (9 * stride));
                c10 += Vector512.Load(c + (10 * stride));
                c11 += Vector512.Load(c + (11 * stride));
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
            step = 0;
        }

        PutHalf(c0, c, add);
        PutHalf(c1, c + stride, add);
        PutHalf(c2, c + (2 * stride), add);
        PutHalf(c3, c + (3 * stride), add);
        PutHalf(c4, c + (4 * stride), add);
        PutHalf(c5, c + (5 * stride), add);
        PutHalf(c6, c + (6 * stride), add);
        PutHalf(c7, c + (7 * stride), add);
        PutHalf(c8, c + (8 * stride), add);
        PutHalf(c9, c + (9 * stride), add);
        PutHalf(c10, c + (10 * stride), add);
        PutHalf(c11, c + (11 * stride), add);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void RowHalf(float* a, nint distance, float* b, int depth, float* c, bool add, ProductTail tail)
    {
        var sum = Vector512<float>.Zero;
        while (true)
        {
            for (var k = 0; k < depth; k++)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.Create(*a), Vector512.Load(b), sum);
                a += distance;
                b += 16;
            }

            if (tail.Depth == 0)
            {
                break;
            }

            if (add)
            {
                sum += Vector512.Load(c);
                add = false;
            }

            a = tail.A;
            b = tail.B;
            depth = tail.Depth;
            tail = default;
        }

        PutHalf(sum, c, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutHalf(Vector512<float> x, float* c, bool add) => (add ? x + Vector512.Load(c) : x).Store(c);
}
