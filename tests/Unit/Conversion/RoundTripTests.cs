using Sway.Adapters;
using Sway.Conversion;
using Sway.Unit.Mlx;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>An adapter that went to the other format and back is the function that it was.</summary>
public sealed class RoundTripTests
{
    /// <summary>What has no way back, with the refusal that says so.</summary>
    private static readonly Dictionary<string, RefusalCategory> s_oneWay = new(StringComparer.Ordinal)
    {
        ["names/mup-falconh1"] = RefusalCategory.UnmappableModule,
    };

    /// <summary>PEFT wants gate and up of an expert together, so a lone one gets a partner of zeros, which the gallery does not list.</summary>
    private static readonly HashSet<string> s_getsPartner = new(StringComparer.Ordinal) { "names/lin4-mixtral-partial-ranks" };

    public static TheoryData<string> PeftCases => [.. Names("peft", "cases"), .. Names("names")];

    public static TheoryData<string> MlxCases =>
    [
        .. Directory.GetDirectories(Repository.Fixture("mlx", "adapters")).Select(folder => Path.GetFileName(folder)!)
            .Where(name => name != "dora-embedding").Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(PeftCases))]
    public void PeftToMlxAndBack(string name)
    {
        using var folder = new TemporaryFolder();
        GalleryCase item = GalleryCase.Open(name);
        string mlx = Convert(item.Source, folder.File("mlx"), new ConversionOptions { BaseModel = item.Base, AdapterName = item.AdapterName });
        foreach (int version in (int[])[4, 5])
        {
            var options = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = item.Base, TransformersVersion = version, BaseName = "org/base", Verify = true };
            if (s_oneWay.TryGetValue(name, out RefusalCategory category))
            {
                Should.Throw<ConversionRefusedException>(() => Convert(mlx, folder.File("no"), options)).Refusals.ShouldContain(refusal => refusal.Category == category);
                continue;
            }

            string peft = Convert(mlx, folder.File($"peft{version}"), options);
            string again = Convert(peft, folder.File($"again{version}"), new ConversionOptions { BaseModel = item.Base });

            // The second time through mlx-lm's format: the deltas by the gallery's own answers, and the same numbers as the first.
            if (!s_getsPartner.Contains(name))
            {
                MlxLoader.ShouldEqual(again, item);
            }

            ShouldHaveTheSameDeltas(mlx, again);
        }
    }

    [Theory]
    [MemberData(nameof(MlxCases))]
    public void MlxToPeftAndBack(string name)
    {
        using var folder = new TemporaryFolder();
        string source = MlxFixture.Folder("adapters", name);
        string model = MlxFixture.Model(MlxFixture.Expected("adapters", name));
        foreach (int version in (int[])[4, 5])
        {
            var options = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model, TransformersVersion = version, Verify = true };
            string peft = Convert(source, folder.File($"peft{version}"), options);
            string back = Convert(peft, folder.File($"mlx{version}"), new ConversionOptions { BaseModel = model });
            ShouldHaveTheSameDeltas(source, back);
        }
    }

    /// <summary>By the factors, read without the library's comparison: padded and repeated terms add nothing.</summary>
    private static void ShouldHaveTheSameDeltas(string first, string second)
    {
        using LoraAdapter left = AdapterReader.Open(first);
        using LoraAdapter right = AdapterReader.Open(second);
        Dictionary<string, LoraModule> others = right.Modules.ToDictionary(module => module.Path, StringComparer.Ordinal);
        foreach (LoraModule module in left.Modules)
        {
            others.Remove(module.Path, out LoraModule? other).ShouldBeTrue(module.Path);
            double[] want = MlxFixture.Delta(module), got = MlxFixture.Delta(other!);
            double size = want.Select(Math.Abs).DefaultIfEmpty().Max();
            got.Zip(want, (x, y) => Math.Abs(x - y)).DefaultIfEmpty().Max().ShouldBeLessThanOrEqualTo(3e-7 * size, module.Path);
            (other!.Magnitude is null).ShouldBe(module.Magnitude is null);
            if (module.Magnitude is not null)
            {
                other.Magnitude!.ToSingleArray().ShouldBe(module.Magnitude.ToSingleArray());
            }
        }

        others.Values.ShouldAllBe(module => Array.TrueForAll(module.B.ToSingleArray(), value => value == 0), "what the source has no delta for changes nothing");
    }

    private static string Convert(string source, string output, ConversionOptions options) =>
        AdapterConverter.Convert(source, output, options, cancellationToken: TestContext.Current.CancellationToken).FullName;

    private static IEnumerable<string> Names(params string[] parts) => Directory.GetDirectories(Repository.Fixture(parts))
        .Where(folder => File.Exists(Path.Combine(folder, "expected.json")))
        .Select(folder => Path.GetRelativePath(Repository.Fixture(), folder).Replace('\\', '/'))
        .Where(name => GalleryCase.Open(name) is { MustConvert: true, MayAlsoRefuse: false }).Order(StringComparer.Ordinal);
}
