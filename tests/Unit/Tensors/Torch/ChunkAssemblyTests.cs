using Sway.Tensors;
using Sway.Tensors.Torch;
using Sway.Unit.Support;

namespace Sway.Unit.Tensors.Torch;

public sealed class ChunkAssemblyTests
{
    private static readonly long[] s_shape = [2, 8, 6];

    // Offsets and sizes of one layer's blocks; both layers are cut alike.
    public static TheoryData<string, long[][]> Shardings => new()
    {
        { "one rank", [[0, 0, 8, 6]] },
        { "rows of two ranks", [[0, 0, 4, 6], [4, 0, 4, 6]] },
        { "columns of three ranks", [[0, 0, 8, 2], [0, 2, 8, 2], [0, 4, 8, 2]] },
        { "gate and up of two ranks", [[0, 0, 2, 6], [4, 0, 2, 6], [2, 0, 2, 6], [6, 0, 2, 6]] },
        { "rows and columns", [[4, 3, 4, 3], [0, 0, 4, 3], [0, 3, 4, 3], [4, 0, 4, 3]] },
        { "uneven", [[0, 0, 3, 6], [3, 0, 5, 1], [3, 1, 2, 5], [5, 1, 3, 5]] },
    };

    public static TheoryData<string, long[][]> Faults => new()
    {
        { "hole at the end", [[0, 0, 4, 6]] },
        { "hole in the middle", [[0, 0, 2, 6], [4, 0, 4, 6]] },
        { "hole in a corner", [[0, 0, 4, 6], [4, 0, 4, 5]] },
        { "overlap", [[0, 0, 5, 6], [4, 0, 4, 6]] },
        { "twice", [[0, 0, 8, 6], [0, 0, 8, 6]] },
        { "outside", [[0, 0, 4, 6], [4, 0, 5, 6]] },
        { "nothing", [] },
    };

    [Theory]
    [MemberData(nameof(Shardings))]
    public void AnyShardingGivesTheSameBytes(string name, long[][] blocks)
    {
        TensorExpression whole = MemoryTensor.Range(s_shape);

        Assemble(whole, blocks).ToBytes().ShouldBe(whole.ToBytes(), name);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void HolesAndOverlapsAreErrors(string name, long[][] blocks) =>
        Should.Throw<InvalidDataException>(() => Assemble(MemoryTensor.Range(s_shape), blocks), name);

    private static TensorExpression Assemble(TensorExpression whole, long[][] blocks)
    {
        var chunks = new List<(DistributedChunk, TensorExpression)>();
        for (long layer = 1; layer >= 0; layer--)
        {
            foreach (long[] block in blocks)
            {
                TensorExpression value = whole.Slice(0, layer, 1).Slice(1, block[0], Math.Min(block[2], 8 - block[0])).Slice(2, block[1], block[3]);
                chunks.Add((new DistributedChunk([layer, block[0], block[1]], [1, block[2], block[3]]), value));
            }
        }

        return ChunkAssembly.Join([.. s_shape], chunks, what => new InvalidDataException(what));
    }
}
