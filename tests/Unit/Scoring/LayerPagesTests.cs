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
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What is resident is read from /proc.");
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
        Resident.Bytes(start).ShouldBeGreaterThanOrEqualTo(12L * Rows * Rows);

        pages.Forget(0);
        Resident.Bytes(start).ShouldBeInRange(3L * Rows * Rows, 5L * Rows * Rows);
        pages.Forget(1);
        pages.Forget(7);
        Resident.Bytes(start).ShouldBeLessThan(1L * Rows * Rows);

        pages.Prepare(0);
        Sum(mapped).ShouldBe(sum);
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
