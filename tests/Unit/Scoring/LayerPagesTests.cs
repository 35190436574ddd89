using Sway.Inference;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

public sealed unsafe class LayerPagesTests
{
    private const int Rows = 1024;

    [Fact]
    public void Pages_of_a_layer_leave_the_memory_and_come_back_the_same()
    {
        Resident.SkipUnlessKnown();
        using var folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, Rows * Rows).Select(i => i * 0.25f)];
        SafetensorsWriter.Write(
            folder.File("model.safetensors"),
            [.. ((string[])["a", "b", "c"]).Select(name => new PlannedTensor(name, MemoryTensor.Of(values, Rows, Rows)))]);
        using var mapped = MappedWeights.OpenFolder(folder.Path);
        var pages = new LayerPages();
        pages.Add(0, mapped.Tensors["a"]);
        pages.Add(0, mapped.Tensors["b"]);
        pages.Add(1, mapped.Tensors["c"]);
        byte* start = mapped.Tensors["a"].Data;
        double sum = Sum(mapped);
        Resident.Bytes(start, 12L * Rows * Rows).ShouldBeGreaterThanOrEqualTo(12L * Rows * Rows);

        pages.Forget(0);
        Resident.Bytes(start, 12L * Rows * Rows).ShouldBeInRange(3L * Rows * Rows, 5L * Rows * Rows);
        pages.Forget(1);
        pages.Forget(7);
        Resident.Bytes(start, 12L * Rows * Rows).ShouldBeLessThan(1L * Rows * Rows);

        pages.Bytes(0).ShouldBe(8L * Rows * Rows);
        pages.Bytes(7).ShouldBe(0);
        pages.Prepare(0);
        pages.Map(7);
        pages.Map(1);
        if (Environment.OSVersion.Version >= new Version(5, 14))
        {
            Resident.Bytes(start, 12L * Rows * Rows).ShouldBeGreaterThan(3L * Rows * Rows);
        }

        Sum(mapped).ShouldBe(sum);
    }

    [Theory]
    [InlineData(255, false, 3)]
    [InlineData(256, false, 1)]
    [InlineData(1023, false, 1)]
    [InlineData(1024, false, 1)]
    [InlineData(2048, false, 0)]
    [InlineData(1023, true, 3)]
    [InlineData(1024, true, 0)]
    public void The_more_rows_pass_the_more_layers_leave_the_memory(long rows, bool scarce, int stay)
    {
        Resident.SkipUnlessKnown();
        using var folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, Rows * Rows).Select(i => i * 0.5f)];
        SafetensorsWriter.Write(
            folder.File("model.safetensors"),
            [.. ((string[])["a", "b", "c"]).Select(name => new PlannedTensor(name, MemoryTensor.Of(values, Rows, Rows)))]);
        using var mapped = MappedWeights.OpenFolder(folder.Path);
        var pages = new LayerPages();
        string[] names = ["a", "b", "c"];
        for (int layer = 0; layer < names.Length; layer++)
        {
            pages.Add(layer, mapped.Tensors[names[layer]]);
        }

        // Two layers make room enough; a row takes half of the third.
        var residency = new LayerResidency(pages, [1, 1, 2], scarce, overhead: 5L * Rows * Rows);
        _ = Sum(mapped);
        for (int layer = 0; layer < names.Length; layer++)
        {
            residency.Begin(layer, rows);
            residency.End(layer, rows);
        }

        Resident.Bytes(mapped.Tensors["a"].Data, 12L * Rows * Rows).ShouldBeInRange((4L * stay * Rows * Rows) - (Rows * Rows), (4L * stay * Rows * Rows) + (Rows * Rows));
    }

    private static double Sum(MappedWeights mapped)
    {
        double sum = 0.0;
        foreach (MappedTensor tensor in mapped.Tensors.Values)
        {
            foreach (float value in new ReadOnlySpan<float>(tensor.Data, Rows * Rows))
            {
                sum += value;
            }
        }

        return sum;
    }
}
