using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

public sealed class MegatronAdapterReaderTests
{
    public static TheoryData<string> Cases => [.. MegatronFixture.Cases];

    public static TheoryData<string> Loadable =>
        [.. MegatronFixture.Variants.Concat(MegatronFixture.Corrupt).Where(name => !new MegatronFixture(name).MustFail)];

    public static TheoryData<string> Damaged => [.. MegatronFixture.Corrupt.Where(name => new MegatronFixture(name).MustFail)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void GivesExactlyTheFactorsThatWereTrained(string name) => CheckFactors(new MegatronFixture(name), null);

    [Theory]
    [MemberData(nameof(Loadable))]
    public void ReadsEveryUsualVariant(string name)
    {
        var fixture = new MegatronFixture(name);
        CheckFactors(fixture, name.EndsWith("no-run-config", StringComparison.Ordinal) ? fixture.Alpha : null);
    }

    [Theory]
    [MemberData(nameof(Damaged))]
    public void RefusesDamage(string name)
    {
        SwayException error = Should.Throw<SwayException>(() => new MegatronFixture(name).Open().Dispose());

        (error is AdapterFormatException or ConversionRefusedException).ShouldBeTrue();
    }

    [Fact]
    public void NamesAForeignGlobal()
    {
        foreach (string name in (string[])["corrupt/forbidden-global", "corrupt/forbidden-global-in-record"])
        {
            var refused = Should.Throw<ConversionRefusedException>(() => new MegatronFixture(name).Open().Dispose());
            refused.Refusals[0].Category.ShouldBe(RefusalCategory.UnsafePickle);
            refused.Message.ShouldContain(".print");
        }
    }

    [Fact]
    public void AsksForAlphaWhenNothingRecordsIt()
    {
        var refused = Should.Throw<ConversionRefusedException>(() => new MegatronFixture("variants/no-run-config").Open().Dispose());

        refused.Refusals.ShouldHaveSingleItem().Category.ShouldBe(RefusalCategory.MissingScale);
    }

    [Fact]
    public void WithoutABaseItKeepsMegatronsNamesAndSaysWhatIsMissing()
    {
        using LoraAdapter adapter = MegatronAdapterReader.Open(new MegatronFixture("moe-grouped-perexpert-ep2-norm-f32").Checkpoint);

        adapter.Obstacles.ShouldHaveSingleItem().Category.ShouldBe(RefusalCategory.NeedsBase);
        adapter.Modules.Select(module => module.Path).ShouldContain("decoder.layers.1.self_attention.linear_qkv");
        LoraModule experts = adapter.Modules.First(module => module.Kind == LoraModuleKind.Experts);
        experts.A.Shape.ShouldBe([4, 3, 40]);
        Should.Throw<ConversionRefusedException>(() => AdapterWeightStream.Read(adapter, null, TestContext.Current.CancellationToken).Count());
    }

    [Fact]
    public void AnotherBaseModelIsRefused()
    {
        var fixture = new MegatronFixture("lora-tp1-f32");
        var options = new AdapterOpenOptions { BaseModel = Repository.Fixture("megatron", "bases", "llama-l4") };

        var refused = Should.Throw<ConversionRefusedException>(() => MegatronAdapterReader.Open(fixture.Checkpoint, options).Dispose());

        refused.Refusals.ShouldContain(refusal => refusal.Category == RefusalCategory.BadConfig);
    }

    [Fact]
    public void ARunsFolderMeansTheIterationThatItsTrackerNames()
    {
        var fixture = new MegatronFixture("lora-tp1-f32");
        string run = Path.GetDirectoryName(fixture.Checkpoint)!;

        MegatronCheckpoint.IsCheckpoint(run).ShouldBeTrue();
        MegatronCheckpoint.IsCheckpoint(fixture.Base).ShouldBeFalse();
        using LoraAdapter adapter = MegatronAdapterReader.Open(run, new AdapterOpenOptions { BaseModel = fixture.Base });
        adapter.Path.ShouldBe(fixture.Checkpoint);
    }

    [Fact]
    public void StreamsTensorsInAnyElementType()
    {
        using LoraAdapter adapter = new MegatronFixture("lora-tp1-f32").Open();

        AdapterWeight[] weights = [.. AdapterWeightStream.Read(adapter, DType.BF16, TestContext.Current.CancellationToken)];

        weights.Length.ShouldBe(2 * adapter.Modules.Count);
        weights.ShouldAllBe(weight => weight.DType == DType.BF16 && weight.Bytes.Length == 2 * weight.Shape[0] * weight.Shape[1]);
        weights[0].Name.ShouldEndWith(".lora_A.weight");
    }

    [Fact]
    public void DoraOnAnInputParallelLayerIsRefusedWithTheReason()
    {
        using var folder = new TemporaryFolder();
        var fixture = new MegatronFixture("dora-tp1-f32");
        foreach (string file in Directory.GetFiles(fixture.Checkpoint))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        string config = folder.File("run_config.yaml");
        File.WriteAllText(config, File.ReadAllText(config).Replace("tensor_model_parallel_size: 1", "tensor_model_parallel_size: 2"));

        var refused = Should.Throw<ConversionRefusedException>(
            () => MegatronAdapterReader.Open(folder.Path, new AdapterOpenOptions { BaseModel = fixture.Base }).Dispose());

        Refusal reason = refused.Refusals.ShouldHaveSingleItem();
        reason.Category.ShouldBe(RefusalCategory.Megatron);
        reason.Modules.ShouldContain("decoder.layers.0.self_attention.linear_proj");
        reason.Modules.Count.ShouldBe(4);
    }

    private static void CheckFactors(MegatronFixture fixture, double? alpha)
    {
        using LoraAdapter adapter = fixture.Open(alpha);
        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(fixture.TruthFolder, "expected_lora.safetensors"));
        adapter.Obstacles.ShouldBeEmpty();

        var found = AdapterWeightStream.Read(adapter).ToDictionary(weight => weight.Name, StringComparer.Ordinal);
        found.Keys.Order(StringComparer.Ordinal).ShouldBe(expected.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (TensorInfo tensor in expected.Tensors)
        {
            AdapterWeight weight = found[tensor.Name];
            weight.DType.ShouldBe(tensor.DType, tensor.Name);
            weight.Shape.ShouldBe(tensor.Shape, tensor.Name);
            weight.Bytes.ShouldBe(expected.Get(tensor).ToBytes(), tensor.Name);
        }

        foreach (LoraModule module in adapter.Modules)
        {
            module.Scaling.ShouldBe(fixture.Truth.GetProperty("modules").GetProperty(module.Path).GetProperty("scale").GetDouble(), 1e-15);
        }
    }
}
