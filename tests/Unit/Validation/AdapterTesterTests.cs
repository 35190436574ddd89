using System.Buffers.Binary;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;
using Sway.Unit.Conversion;
using Sway.Unit.Support;
using Sway.Validation;

namespace Sway.Unit.Validation;

public sealed class AdapterTesterTests
{
    public static TheoryData<string> Cases => GalleryCase.Names("peft", "cases");

    public static TheoryData<string> Corrupt => GalleryCase.Names("peft", "corrupt");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Whatever_converts_passes_and_every_refusal_is_a_finding(string name)
    {
        GalleryCase item = GalleryCase.Open(name);
        LoraAdapterTestResult result = AdapterTester.Test(
            item.Source, new AdapterTestOptions { BaseModel = item.Base, AdapterName = item.AdapterName }, TestContext.Current.CancellationToken);
        result.Findings.ShouldAllBe(finding => finding.Message.Length > 0 && finding.Category.Length > 0);
        if (item.MustConvert && !item.MayAlsoRefuse)
        {
            result.Passed.ShouldBeTrue(string.Join('\n', result.Findings));
            result.Readers.ShouldHaveSingleItem().IsRight.ShouldBeTrue();
        }
        else if (!item.MayAlsoConvert && !item.MustConvert)
        {
            (result.Readers.Any(verdict => !verdict.IsRight) || !result.Passed || result.Format == "Mlx").ShouldBeTrue("a reason is found");
        }
    }

    [Theory]
    [MemberData(nameof(Corrupt))]
    public void A_damaged_adapter_is_a_result_with_errors(string name)
    {
        GalleryCase item = GalleryCase.Open(name);
        LoraAdapterTestResult result = AdapterTester.Test(item.Source, new AdapterTestOptions { BaseModel = item.Base }, TestContext.Current.CancellationToken);
        if (item.MustConvert && !item.MayAlsoRefuse)
        {
            result.Passed.ShouldBeTrue(string.Join('\n', result.Findings));
        }
        else if (!item.MustConvert && !item.MayAlsoConvert)
        {
            result.Passed.ShouldBeFalse();
            AdapterFinding first = result.Findings[0];
            first.Severity.ShouldBe(FindingSeverity.Error);
            first.Remedy.ShouldNotBeNullOrEmpty();
        }
    }

    [Fact]
    public void NaN_and_untrained_factors_are_named()
    {
        LoraAdapterTestResult broken = AdapterTester.Test(Repository.Sample("adapters", "broken"), cancellationToken: TestContext.Current.CancellationToken);
        broken.Passed.ShouldBeFalse();
        broken.Findings[0].Category.ShouldBe(nameof(RefusalCategory.NonFinite));
        broken.Findings[0].Modules.ShouldHaveSingleItem().ShouldContain("lora_B");
        broken.Readers.ShouldHaveSingleItem().ShouldBe(new AdapterReaderVerdict("mlx-lm, after conversion", false, false, "NonFinite"));
        LoraAdapterTestResult untrained = AdapterTester.Test(Repository.Sample("adapters", "untrained"), cancellationToken: TestContext.Current.CancellationToken);
        untrained.Passed.ShouldBeTrue();
        untrained.Findings.ShouldContain(finding => finding.Category == FindingCategory.Untrained && finding.Modules.Count == 8);
    }

    [Theory]
    [InlineData("bible", 0.0)]
    [InlineData("alice", 1e-7)]
    [InlineData("law", 0.0)]
    public void A_conversion_is_the_same_function_as_its_source(string name, double limit)
    {
        using var work = new TemporaryFolder();
        string source = Repository.Sample("adapters", name), converted = work.File("mlx");
        AdapterConverter.Convert(source, converted, new ConversionOptions(), cancellationToken: TestContext.Current.CancellationToken);
        var options = new AdapterTestOptions { Reference = source, BaseModel = Repository.Sample("base") };
        LoraAdapterTestResult result = AdapterTester.Test(converted, options, TestContext.Current.CancellationToken);
        result.Passed.ShouldBeTrue(string.Join('\n', result.Findings));
        ReferenceComparison reference = result.Reference.ShouldNotBeNull();
        reference.IsSame.ShouldBeTrue();
        reference.MaxRelativeDifference.ShouldBeLessThanOrEqualTo(limit);
        reference.Modules.ShouldAllBe(module => module.In == "Both");
    }

    [Fact]
    public void One_changed_number_is_found_with_its_size()
    {
        using var work = new TemporaryFolder();
        string source = Repository.Sample("adapters", "memorized");
        foreach (string file in Directory.GetFiles(source))
        {
            File.Copy(file, work.File(Path.GetFileName(file)));
        }

        (string module, double absolute, double relative) = ChangeOneNumber(work.File("adapter_model.safetensors"));
        LoraAdapterTestResult result = AdapterTester.Test(
            work.Path, new AdapterTestOptions { Reference = source, NoBaseLookup = true }, TestContext.Current.CancellationToken);
        result.Passed.ShouldBeFalse();
        AdapterFinding finding = result.Findings.Single(candidate => candidate.Category == FindingCategory.Difference);
        finding.Modules.ShouldHaveSingleItem().ShouldBe(module);
        ModuleDifference difference = result.Reference!.Modules.Single(candidate => candidate.AbsoluteDifference > 0);
        difference.AbsoluteDifference.ShouldBe(absolute, 1e-12 + (1e-9 * absolute));
        difference.RelativeDifference.ShouldBe(relative, 1e-9 * relative);
        AdapterTester.Test(work.Path, new AdapterTestOptions { Reference = source, NoBaseLookup = true, Tolerance = 2 * relative }, TestContext.Current.CancellationToken)
            .Passed.ShouldBeTrue();
    }

    [Fact]
    public void Experts_of_three_layouts_compare_under_one_name()
    {
        string peft = Repository.Fixture("names", "tp-qwen3moe-both-attn"), model = Repository.Fixture("names", "models", "qwen3moe");
        using var work = new TemporaryFolder();
        string mlx = work.File("mlx"), back = work.File("peft");
        AdapterConverter.Convert(peft, mlx, new ConversionOptions { BaseModel = model }, cancellationToken: TestContext.Current.CancellationToken);
        AdapterConverter.Convert(
            mlx, back, new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model, TransformersVersion = 4 }, cancellationToken: TestContext.Current.CancellationToken);
        foreach (string adapter in (string[])[mlx, back])
        {
            LoraAdapterTestResult result = AdapterTester.Test(adapter, new AdapterTestOptions { Reference = peft, BaseModel = model }, TestContext.Current.CancellationToken);
            result.Reference.ShouldNotBeNull(string.Join('\n', result.Findings)).IsSame.ShouldBeTrue();
            result.Reference.Modules.Count.ShouldBeGreaterThan(4);
        }
    }

    [Fact]
    public void A_missing_path_is_no_finding() =>
        Should.Throw<FileNotFoundException>(() => AdapterTester.Test("/no/such/adapter", cancellationToken: TestContext.Current.CancellationToken));

    /// <summary>Changes an element of the first factor of one module; gives what that must do to the module's delta.</summary>
    private static (string Module, double Absolute, double Relative) ChangeOneNumber(string path)
    {
        const string Module = "model.layers.1.mlp.down_proj";
        const double Scaling = 4;
        double[] a, b;
        TensorInfo info;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            info = file.Find($"base_model.model.{Module}.lora_A.weight")!;
            a = file.Get(info).ToDoubleArray();
            b = file.Get($"base_model.model.{Module}.lora_B.weight").ToDoubleArray();
        }

        int rank = (int)info.Shape[0], columns = (int)info.Shape[1], rows = b.Length / rank;
        byte[] bytes = File.ReadAllBytes(path);
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan((int)info.Offset), (float)(a[0] + 0.25));
        double change = (float)(a[0] + 0.25) - a[0];
        File.WriteAllBytes(path, bytes);
        double[] column = [.. Enumerable.Range(0, rows).Select(row => Scaling * b[row * rank])];
        double norm = Math.Sqrt(Enumerable.Range(0, rows * columns).Sum(i =>
        {
            double sum = Enumerable.Range(0, rank).Sum(k => b[(i / columns * rank) + k] * a[(k * columns) + (i % columns)]);
            return Scaling * Scaling * sum * sum;
        }));
        return (Module, Math.Abs(change) * column.Max(Math.Abs), Math.Abs(change) * Math.Sqrt(column.Sum(value => value * value)) / norm);
    }
}
