using Sway.Adapters;
using Sway.Tensors;
using Sway.Tensors.Torch;
using Sway.Unit.Support;

namespace Sway.Unit.Tensors.Torch;

public sealed class TorchFileTests
{
    private const double Scaling = 2;

    [Theory]
    [InlineData("bin-zip")]
    [InlineData("bin-legacy")]
    public void ReadsTheFactorsThatTorchWrote(string name)
    {
        using TorchFile file = TorchFile.OpenFile(Repository.Fixture("torch", name + ".bin"));
        using SafetensorsFile deltas = SafetensorsFile.Open(Repository.Fixture("torch", name + ".delta.safetensors"));

        foreach (TensorInfo delta in deltas.Tensors)
        {
            string module = "base_model.model." + delta.Name[..^".delta".Length];
            double[] a = file.Get(module + ".lora_A.weight").ToDoubleArray();
            double[] b = file.Get(module + ".lora_B.weight").ToDoubleArray();
            double[] expected = deltas.Get(delta).ToDoubleArray();
            int rank = (int)file.Find(module + ".lora_A.weight")!.Shape[0];
            int columns = a.Length / rank;
            for (int i = 0; i < expected.Length; i++)
            {
                double sum = Enumerable.Range(0, rank).Sum(k => b[(i / columns * rank) + k] * a[(k * columns) + (i % columns)]);
                (Scaling * sum).ShouldBe(expected[i], 1e-6);
            }
        }

        file.Tensors.Count.ShouldBe(2 * deltas.Tensors.Count);
    }

    [Theory]
    [InlineData("bin-good-dict-plus-evil", "posix.system")]
    [InlineData("bin-os-system-raw", "posix.system")]
    [InlineData("bin-os-system-zip", "posix.system")]
    [InlineData("bin-stack-global", "posix.system")]
    [InlineData("bin-whole-module", "torch.nn.modules.linear.Linear")]
    public void NamesTheForeignGlobal(string name, string global)
    {
        var refused = Should.Throw<ConversionRefusedException>(() => TorchFile.OpenFile(Repository.Fixture("torch", name + ".bin")).Dispose());

        refused.Refusals.ShouldHaveSingleItem().Category.ShouldBe(RefusalCategory.UnsafePickle);
        refused.Message.ShouldContain(global);
    }

    [Theory]
    [InlineData("bin-deep-tuples", "deeper")]
    [InlineData("bin-empty", "too few")]
    [InlineData("bin-negative-offset", "storage")]
    [InlineData("bin-self-referencing", "not a plain tensor")]
    [InlineData("bin-size-past-storage", "larger than its storage")]
    [InlineData("bin-zip-bomb", "compressed")]
    [InlineData("bin-zip-missing-storage", "missing")]
    [InlineData("bin-zip-short-storage", "bytes instead of")]
    [InlineData("bin-zip-slip", "outside")]
    [InlineData("bin-zip-truncated", "cut off")]
    public void RefusesDamage(string name, string message)
    {
        var damaged = Should.Throw<AdapterFormatException>(() => TorchFile.OpenFile(Repository.Fixture("torch", name + ".bin")).Dispose());

        damaged.Message.ShouldContain(message);
        damaged.Path.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("bin-zip")]
    [InlineData("bin-legacy")]
    public void ATruncatedFileIsAnErrorAtEveryLength(string name)
    {
        byte[] whole = File.ReadAllBytes(Repository.Fixture("torch", name + ".bin"));
        using var folder = new TemporaryFolder();
        string path = folder.File("cut.bin");
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int length = 0; length < whole.Length; length += length < 4000 ? 1 : 7)
        {
            File.WriteAllBytes(path, whole.AsSpan(0, length));
            Should.Throw<AdapterFormatException>(() => TorchFile.OpenFile(path).Dispose(), $"at {length} bytes");
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(4L << 30);
    }

    [Theory]
    [InlineData("bin-zip")]
    [InlineData("bin-legacy")]
    public void AChangedByteGivesTensorsOrATypedError(string name)
    {
        byte[] whole = File.ReadAllBytes(Repository.Fixture("torch", name + ".bin"));
        using var folder = new TemporaryFolder();
        string path = folder.File("changed.bin");
        var random = new Random(1);
        for (int round = 0; round < 3000; round++)
        {
            byte[] copy = [.. whole];
            for (int i = 0; i <= round % 3; i++)
            {
                copy[random.Next(copy.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, copy);
            try
            {
                using TorchFile file = TorchFile.OpenFile(path);
                foreach (TensorInfo tensor in file.Tensors)
                {
                    file.Get(tensor).ToBytes().LongLength.ShouldBeLessThanOrEqualTo(whole.Length);
                }
            }
            catch (SwayException)
            {
                // A typed error is the other allowed outcome.
            }
        }
    }
}
