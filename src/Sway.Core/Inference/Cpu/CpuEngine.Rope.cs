using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    private readonly ConditionalWeakTable<RopeTable, RopeAngles[]> _angles = [];

    /// <inheritdoc/>
    public void Rope(HeadView heads, RopeTable table, bool interleaved, BatchLayout layout)
    {
        var x = Settled(heads.Tensor);
        x.Changed();
        var variants = _angles.GetValue(table, static _ => [new RopeAngles(), new RopeAngles()]);
        var half = table.Dimensions / 2;
        var lanes = layout.LaneOfRow;
        foreach (var lane in layout.Lanes)
        {
            variants[table.Variant(lane.SequenceLength)].Extend(table, lane.SequenceLength, lane.Start + lane.Count);
        }

        ForRows(layout.Rows, (long)heads.Heads * heads.Size, row =>
        {
            var lane = lanes.Span[row];
            var angles = variants[table.Variant(lane.SequenceLength)];
            var position = lane.Start + row - lane.FirstRow;
            var cos = angles.Cosines.AsSpan(position * half, half);
            var sin = angles.Sines.AsSpan(position * half, half);
            for (var h = 0; h < heads.Heads; h++)
            {
                Rotate(x.Row(row) + heads.Offset + (h * heads.Stride), cos, sin, interleaved);
            }
        });
    }

    private static void Rotate(float* head, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin, bool interleaved)
    {
        var half = cos.Length;
        var i = 0;
        for (; !interleaved && i + Vector256<float>.Count <= half; i += Vector256<float>.Count)
        {
            // The same operations as below, element by element.
            var (p, q) = (Vector256.Load(head + i), Vector256.Load(head + half + i));
            var (c, s) = (Vector256.Create(cos[i..]), Vector256.Create(sin[i..]));
            ((p * c) - (q * s)).Store(head + i);
            ((q * c) + (p * s)).Store(head + half + i);
        }

        for (; i < half; i++)
        {
            var a = interleaved ? 2 * i : i;
            var b = interleaved ? a + 1 : i + half;
            float p = head[a], q = head[b];
            head[a] = (p * cos[i]) - (q * sin[i]);
            head[b] = (q * cos[i]) + (p * sin[i]);
        }
    }

    /// <summary>Cosines and sines of all positions met so far, (position, dimensions / 2).</summary>
    private sealed class RopeAngles
    {
        private int _positions;

        public float[] Cosines { get; private set; } = [];

        public float[] Sines { get; private set; } = [];

        public void Extend(RopeTable table, int sequenceLength, int positions)
        {
            var frequencies = table.Frequencies(sequenceLength);
            if (positions <= _positions)
            {
                return;
            }

            var half = frequencies.Length;
            var target = Math.Max(positions, _positions * 2);
            var cosines = new float[target * half];
            var sines = new float[target * half];
            Cosines.AsSpan().CopyTo(cosines);
            Sines.AsSpan().CopyTo(sines);
            for (var p = _positions; p < target; p++)
            {
                for (var i = 0; i < half; i++)
                {
                    var (sin, cos) = Math.SinCos(p * frequencies[i]);
                    cosines[(p * half) + i] = (float)(cos * table.Scaling);
                    sines[(p * half) + i] = (float)(sin * table.Scaling);
                }
            }

            (Cosines, Sines, _positions) = (cosines, sines, target);
        }
    }
}
