using Sway.Adapters;
using Sway.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>Every case of the galleries converts exactly or is refused; nothing is left behind by a refusal.</summary>
public sealed class GalleryTests
{
    public static TheoryData<string> Dense => GalleryCase.Names("peft", "cases");

    public static TheoryData<string> Corrupt => GalleryCase.Names("peft", "corrupt");

    public static TheoryData<string> Architectures => GalleryCase.Names("names");

    [Theory]
    [MemberData(nameof(Dense))]
    public void Dense_models(string name) => Check(name);

    [Theory]
    [MemberData(nameof(Corrupt))]
    public void Damaged_or_unusual_files(string name) => Check(name);

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Architectures_and_experts(string name) => Check(name);

    private static void Check(string name)
    {
        GalleryCase item = GalleryCase.Open(name);
        using var work = new TemporaryFolder();
        Run(item, item.Base, item.MustConvert, work.Path + "/with");
        if (item.NeedsBase && item.MustConvert)
        {
            Run(item, null, mustConvert: false, work.Path + "/without");
        }
    }

    private static void Run(GalleryCase item, string? model, bool mustConvert, string output)
    {
        var options = new ConversionOptions { BaseModel = model, NoBaseLookup = model is null, AdapterName = item.AdapterName, Verify = true };
        try
        {
            AdapterConversionResult result = AdapterConverter.Convert(item.Source, output, options, cancellationToken: TestContext.Current.CancellationToken);
            if (!mustConvert)
            {
                item.MayAlsoConvert.ShouldBeTrue("converted, but must be refused");
                return;
            }

            result.VerifiedDifference.ShouldNotBeNull().ShouldBeLessThanOrEqualTo(1e-6);
            MlxLoader.ShouldEqual(output, item);
        }
        catch (SwayException e)
        {
            if (mustConvert && !item.MayAlsoRefuse)
            {
                throw;
            }

            e.Message.ShouldNotBeNullOrWhiteSpace();
            (e is ConversionRefusedException or AdapterFormatException).ShouldBeTrue(e.GetType().Name);
            string parent = Path.GetDirectoryName(output)!;
            Directory.GetFileSystemEntries(parent).Where(entry => entry != output && entry.Contains(Path.GetFileName(output))).ShouldBeEmpty();
            Directory.Exists(output).ShouldBeFalse();
        }
    }
}
