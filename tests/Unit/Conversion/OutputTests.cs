using System.Text.Json;
using Sway.Adapters;
using Sway.Conversion;
using Sway.IO;
using Sway.Merging;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>An output appears whole or not at all, whatever goes wrong, and nothing of another name is left.</summary>
public sealed class OutputTests
{
    private static readonly string s_source = Repository.Sample("adapters", "bible");

    [Fact]
    public void A_cancelled_conversion_leaves_nothing()
    {
        using var work = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        var progress = new Stopper(stop);
        Should.Throw<OperationCanceledException>(() => AdapterConverter.Convert(s_source, work.File("out"), new ConversionOptions { Force = true }, progress, stop.Token));
        progress.Reports.ShouldBeGreaterThan(0);
        Directory.GetFileSystemEntries(work.Path).ShouldBeEmpty();
    }

    [Fact]
    public void A_cancelled_replacement_keeps_what_was_there()
    {
        using var work = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        Directory.CreateDirectory(work.File("out"));
        File.WriteAllText(Path.Combine(work.File("out"), "mine.txt"), "kept");
        Should.Throw<OperationCanceledException>(() => AdapterConverter.Convert(s_source, work.File("out"), new ConversionOptions { Force = true }, new Stopper(stop), stop.Token));
        Directory.GetFileSystemEntries(work.Path).ShouldHaveSingleItem().ShouldBe(work.File("out"));
        Directory.GetFiles(work.File("out")).ShouldHaveSingleItem().ShouldEndWith("mine.txt");
    }

    [Fact]
    public void A_refusal_while_writing_leaves_nothing()
    {
        using var work = new TemporaryFolder();
        ConversionRefusedException refused = Should.Throw<ConversionRefusedException>(
            () => AdapterConverter.Convert(Repository.Sample("adapters", "broken"), work.File("out"), new ConversionOptions(), cancellationToken: TestContext.Current.CancellationToken));
        refused.Refusals.ShouldHaveSingleItem().Category.ShouldBe(RefusalCategory.NonFinite);
        refused.Remedy.ShouldContain("Test-LoraAdapter");
        Directory.GetFileSystemEntries(work.Path).ShouldBeEmpty();
    }

    [Fact]
    public void Nothing_is_merged_from_numbers_that_are_not_finite()
    {
        using var work = new TemporaryFolder();
        string broken = Repository.Sample("adapters", "broken");
        ConversionRefusedException[] refusals =
        [
            Should.Throw<ConversionRefusedException>(() => AdapterMerger.Merge(
                broken, work.File("out"), new MergeOptions { BaseModel = Repository.Sample("base") }, cancellationToken: TestContext.Current.CancellationToken)),
            Should.Throw<ConversionRefusedException>(() => AdapterCombiner.Combine(
                [broken, Repository.Sample("adapters", "untrained")], work.File("out"), new CombinationOptions(), cancellationToken: TestContext.Current.CancellationToken)),
        ];
        refusals.ShouldAllBe(refused => refused.Refusals[0].Category == RefusalCategory.NonFinite && refused.Tensors.Count == 1);
        Directory.GetFileSystemEntries(work.Path).ShouldBeEmpty();
    }

    [Fact]
    public void The_kind_says_why_there_is_no_output()
    {
        using var work = new TemporaryFolder();
        Directory.CreateDirectory(work.File("out"));
        Kind(s_source, work.File("out"), force: false).ShouldBe(OutputErrorKind.Exists);
        File.WriteAllText(work.File("file"), "");
        Kind(s_source, work.File("file"), force: true).ShouldBe(OutputErrorKind.Exists);
        Kind(s_source, s_source, force: true).ShouldBe(OutputErrorKind.IsSource);
        Kind(s_source, Path.GetDirectoryName(s_source)!, force: true).ShouldBe(OutputErrorKind.IsSource);
        Should.Throw<OutputException>(() => AtomicDirectory.Create(Path.GetPathRoot(work.Path)!)).Kind.ShouldBe(OutputErrorKind.Invalid);
        Directory.GetFileSystemEntries(work.Path).Length.ShouldBe(2);
    }

    [Fact]
    public async Task Replacements_at_once_end_with_one_whole_result()
    {
        using var work = new TemporaryFolder();
        string output = work.File("out");
        await Parallel.ForAsync(0, 12, TestContext.Current.CancellationToken, (_, token) =>
        {
            AdapterConverter.Convert(s_source, output, new ConversionOptions { Force = true }, cancellationToken: token);
            return ValueTask.CompletedTask;
        });
        Directory.GetFileSystemEntries(work.Path).ShouldHaveSingleItem();
        Directory.GetFiles(output).Length.ShouldBe(2);
        using LoraAdapter adapter = AdapterReader.Open(output);
        adapter.Modules.Count.ShouldBe(28);
    }

    [Fact]
    public void Components_of_zeros_that_a_saving_doubled_are_left_out()
    {
        using var work = new TemporaryFolder();
        GalleryCase item = GalleryCase.Open("names/resave-qwen3moe");
        AdapterConversionResult result = AdapterConverter.Convert(
            item.Source, work.File("out"), new ConversionOptions { BaseModel = item.Base, Verify = true }, cancellationToken: TestContext.Current.CancellationToken);
        JsonProperty[] modules = [.. item.Expected.GetProperty("modules").EnumerateObject()];
        int stored = modules.Max(module => module.Value.GetProperty("rank").GetInt32());
        int smallest = modules.Max(module => (module.Value.TryGetProperty("rank_min", out JsonElement least) ? least : module.Value.GetProperty("rank")).GetInt32());
        smallest.ShouldBeLessThan(stored);
        result.Rank.ShouldBe(smallest);
        MlxLoader.ShouldEqual(work.File("out"), item);
    }

    private static OutputErrorKind Kind(string source, string destination, bool force) => Should.Throw<OutputException>(() => AdapterConverter.Convert(
        source, destination, new ConversionOptions { Force = force }, cancellationToken: TestContext.Current.CancellationToken)).Kind;

    private sealed class Stopper(CancellationTokenSource stop) : IProgress<ByteProgress>
    {
        public int Reports { get; private set; }

        public void Report(ByteProgress value)
        {
            Reports++;
            stop.Cancel();
        }
    }
}
