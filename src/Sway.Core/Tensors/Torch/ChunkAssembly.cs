using System.Collections.Immutable;

namespace Sway.Tensors.Torch;

/// <summary>
/// Puts the saved blocks of a tensor together as one expression. The box is cut between blocks, axis by axis, until
/// each part is one block; a part with none is a hole, a part with several that no cut separates is an overlap.
/// </summary>
internal static class ChunkAssembly
{
    /// <summary>Joins blocks that cover a tensor exactly once.</summary>
    /// <param name="shape">The tensor's shape.</param>
    /// <param name="blocks">The blocks, each an expression of its own sizes.</param>
    /// <param name="fail">Makes the error of a description.</param>
    public static TensorExpression Join(
        ImmutableArray<long> shape, IReadOnlyList<(DistributedChunk Chunk, TensorExpression Value)> blocks, Func<string, Exception> fail)
    {
        foreach ((DistributedChunk chunk, _) in blocks)
        {
            bool inside = chunk.Offsets.Length == shape.Length && chunk.Sizes.Length == shape.Length;
            for (int axis = 0; inside && axis < shape.Length; axis++)
            {
                inside = chunk.Sizes[axis] > 0 && chunk.Sizes[axis] <= shape[axis] && chunk.Offsets[axis] <= shape[axis] - chunk.Sizes[axis];
            }

            if (!inside)
            {
                throw fail($"a chunk at {TensorInfo.FormatShape(chunk.Offsets)} of size {TensorInfo.FormatShape(chunk.Sizes)} leaves the tensor of shape {TensorInfo.FormatShape(shape)}");
            }
        }

        return Join([.. shape.Select(static _ => 0L)], shape, blocks, 0, fail);
    }

    private static TensorExpression Join(
        ImmutableArray<long> start,
        ImmutableArray<long> size,
        IReadOnlyList<(DistributedChunk Chunk, TensorExpression Value)> blocks,
        int firstAxis,
        Func<string, Exception> fail)
    {
        if (blocks is [var only])
        {
            return only.Chunk.Offsets.SequenceEqual(start) && only.Chunk.Sizes.SequenceEqual(size)
                ? only.Value
                : throw fail($"part of the box at {TensorInfo.FormatShape(start)} of size {TensorInfo.FormatShape(size)} is in no chunk (a hole)");
        }

        for (int axis = firstAxis; axis < size.Length; axis++)
        {
            List<List<(DistributedChunk Chunk, TensorExpression Value)>> layers = Cut(axis, blocks);
            if (layers.Count > 1)
            {
                return JoinLayers(axis, start, size, layers, fail);
            }
        }

        // A part may be cut along an earlier axis again after a later one.
        return firstAxis > 0
            ? Join(start, size, blocks, 0, fail)
            : throw fail(blocks.Count == 0 ? "a chunk is missing (a hole)" : $"the chunks at {TensorInfo.FormatShape(start)} overlap or interlock");
    }

    private static TensorExpression JoinLayers(
        int axis,
        ImmutableArray<long> start,
        ImmutableArray<long> size,
        List<List<(DistributedChunk Chunk, TensorExpression Value)>> layers,
        Func<string, Exception> fail)
    {
        var parts = new List<TensorExpression>(layers.Count);
        long position = start[axis];
        for (int i = 0; i < layers.Count; i++)
        {
            long begin = layers[i].Min(block => block.Chunk.Offsets[axis]);
            long end = layers[i].Max(block => block.Chunk.Offsets[axis] + block.Chunk.Sizes[axis]);
            if (begin != position || (i == layers.Count - 1 && end != start[axis] + size[axis]))
            {
                throw fail($"indices from {Math.Min(begin, position)} of axis {axis} are in no chunk (a hole)");
            }

            parts.Add(Join(start.SetItem(axis, begin), size.SetItem(axis, end - begin), layers[i], layers[i].Count == 1 ? 0 : axis + 1, fail));
            position = end;
        }

        return TensorExpression.Concatenate(axis, parts);
    }

    private static List<List<(DistributedChunk Chunk, TensorExpression Value)>> Cut(
        int axis, IReadOnlyList<(DistributedChunk Chunk, TensorExpression Value)> blocks)
    {
        var layers = new List<List<(DistributedChunk Chunk, TensorExpression Value)>>();
        long end = 0;
        foreach ((DistributedChunk Chunk, TensorExpression Value) block in blocks.OrderBy(block => block.Chunk.Offsets[axis]))
        {
            if (layers.Count == 0 || block.Chunk.Offsets[axis] >= end)
            {
                layers.Add([]);
            }

            layers[^1].Add(block);
            end = Math.Max(end, block.Chunk.Offsets[axis] + block.Chunk.Sizes[axis]);
        }

        return layers;
    }
}
