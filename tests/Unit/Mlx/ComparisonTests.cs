using System.Text.Json;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Merging;
using Sway.Tensors;
using Sway.Unit.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>Comparing deltas of adapters of any formats.</summary>
public sealed class ComparisonTests
{
    [Theory]
    [InlineData("names/tp-qwen3moe-both-attn")]
    [InlineData("names/tp18-qwen3moe-square")]
    [InlineData("names/tp-gptoss-both-attn")]
    [InlineData("names/lin4-qwen3moe-all")]
    [InlineData("names/prefix-gemma3-vlm")]
    [InlineData("names/split-granitehybrid-dense")]
    public void AConversionDiffersByNothingButRounding(string name)
    {
        using var folder = new TemporaryFolder();
        GalleryCase item = GalleryCase.Open(name);
        CancellationToken token = TestContext.Current.CancellationToken;
        AdapterConversionResult mlx = AdapterConverter.Convert(item.Source, folder.File("mlx"), new ConversionOptions { BaseModel = item.Base }, cancellationToken: token);

        AdapterComparison comparison = AdapterComparer.Compare(item.Source, mlx.FullName, new ComparisonOptions { BaseModel = item.Base }, token);

        comparison.Modules.Count.ShouldBe(mlx.ModuleCount);
        comparison.Modules.ShouldAllBe(row => row.In == "Both" && row.RelativeDifference <= (mlx.Baked ? 1e-7 : 0));
        comparison.Modules.ShouldContain(row => row.FirstNorm > 0);
    }

    [Fact]
    public void NormsCosineAndRankAreThoseOfTheDeltas()
    {
        using var folder = new TemporaryFolder();

        // Singular values 3 and 1 on two unit vectors; the second adapter is minus twice the first.
        string first = Write(folder.File("first"), [1, 0, 0, 0, 1, 0], [3, 0, 0, 1], 1), second = Write(folder.File("second"), [1, 0, 0, 0, 1, 0], [-6, 0, 0, -2], 1);

        LoraAdapterComparison row = AdapterComparer.Compare(first, second, cancellationToken: TestContext.Current.CancellationToken).Modules.ShouldHaveSingleItem();

        row.FirstNorm.ShouldBe(Math.Sqrt(10), 1e-14);
        row.SecondNorm.ShouldBe(2 * Math.Sqrt(10), 1e-14);
        row.Cosine!.Value.ShouldBe(-1, 1e-14);
        row.RelativeDifference.ShouldBe(1.5, 1e-14);
        double entropy = -((0.75 * Math.Log(0.75)) + (0.25 * Math.Log(0.25)));
        row.FirstEffectiveRank!.Value.ShouldBe(Math.Exp(entropy), 1e-14);
        row.SecondEffectiveRank!.Value.ShouldBe(Math.Exp(entropy), 1e-14);
    }

    [Fact]
    public void OtherFactorsOfTheSameDeltaAreTheSameAdapter()
    {
        using var folder = new TemporaryFolder();
        string first = Write(folder.File("first"), [1, 2, 3, 4, 5, 6], [1, 0, 0, 1], 2), second = Write(folder.File("second"), [4, 5, 6, 1, 2, 3], [0, 2, 2, 0], 1);

        LoraAdapterComparison row = AdapterComparer.Compare(first, second, cancellationToken: TestContext.Current.CancellationToken).Modules.ShouldHaveSingleItem();

        row.RelativeDifference.ShouldBeLessThan(1e-15);
        row.Cosine!.Value.ShouldBe(1, 1e-15);
    }

    [Fact]
    public void ASmallDifferenceIsNotLostBesideALargeDelta()
    {
        using var folder = new TemporaryFolder();
        string first = Write(folder.File("first"), [1000, 0, 0, 0, 1, 0], [1000, 0, 0, 1], 1), second = Write(folder.File("second"), [1000, 0, 0, 0, 1, 0], [1000, 0, 0, 1.0001f], 1);

        LoraAdapterComparison row = AdapterComparer.Compare(first, second, cancellationToken: TestContext.Current.CancellationToken).Modules.ShouldHaveSingleItem();

        (row.RelativeDifference * 1e6).ShouldBe(1.0001f - 1, 1e-10);
    }

    [Fact]
    public void WithoutABaseOnlySharedNamesAreCompared()
    {
        using var folder = new TemporaryFolder();
        GalleryCase item = GalleryCase.Open("names/tp-qwen3moe-both-attn");
        CancellationToken token = TestContext.Current.CancellationToken;
        string mlx = AdapterConverter.Convert(item.Source, folder.File("mlx"), new ConversionOptions { BaseModel = item.Base }, cancellationToken: token).FullName;

        ConversionRefusedException refused = Should.Throw<ConversionRefusedException>(
            () => AdapterComparer.Compare(item.Source, mlx, new ComparisonOptions { NoBaseLookup = true }, token));

        refused.Refusals.ShouldContain(refusal => refusal.Category == RefusalCategory.NeedsBase);
    }

    [Fact]
    public void AdaptersOfOtherSizesAreRefused()
    {
        using var folder = new TemporaryFolder();
        string first = Write(folder.File("first"), [1, 2, 3, 4, 5, 6], [1, 0, 0, 1], 1), second = Write(folder.File("second"), [1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 0, 1], 1);

        Should.Throw<ConversionRefusedException>(() => AdapterComparer.Compare(first, second, cancellationToken: TestContext.Current.CancellationToken))
            .Refusals[0].Category.ShouldBe(RefusalCategory.ShapeMismatch);
    }

    /// <summary>An adapter of rank 2 on one module of two outputs.</summary>
    private static string Write(string folder, float[] a, float[] b, double scaling)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(
            Path.Combine(folder, "adapter_model.safetensors"),
            [
                new PlannedTensor("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", MemoryTensor.Of(a, 2, a.Length / 2)),
                new PlannedTensor("base_model.model.model.layers.0.mlp.up_proj.lora_B.weight", MemoryTensor.Of(b, 2, 2)),
            ],
            cancellationToken: TestContext.Current.CancellationToken);
        var config = new { peft_type = "LORA", r = 2, lora_alpha = 2 * scaling, target_modules = (string[])["up_proj"] };
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), JsonSerializer.Serialize(config));
        return folder;
    }
}
