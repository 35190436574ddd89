using Sway.Caching;
using Sway.Conversion;
using Sway.Unit.Cli;
using Sway.Unit.Support;

namespace Sway.Unit.Caching;

public sealed class CacheManagerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Entries_used_least_recently_are_evicted_and_young_ones_never()
    {
        CacheStore store = Fill(out string[] entries, TimeSpan.FromHours(5), TimeSpan.FromHours(3), TimeSpan.FromMinutes(2));
        long one = new CacheManager(store).List()[0].SizeBytes;
        var tight = new CacheManager(new CacheStore(store.Settings with { MaximumBytes = one * 5 / 2 }));
        tight.Evict().Select(entry => entry.FullName).ShouldBe([entries[0]]);
        var none = new CacheManager(new CacheStore(store.Settings with { MaximumBytes = 0 }));
        none.Evict().Select(entry => entry.FullName).ShouldBe([entries[1]]);
        none.List().ShouldHaveSingleItem().FullName.ShouldBe(entries[2]);
        Directory.EnumerateFileSystemEntries(Path.Combine(store.Root, "tmp")).ShouldBeEmpty();
    }

    [Fact]
    public void A_hit_counts_as_use()
    {
        CacheStore store = Fill(out string[] entries, TimeSpan.FromHours(5), TimeSpan.FromHours(3));
        new ConversionCache(store).Get(_folder.File("a0"), new ConversionOptions { NoBaseLookup = true }).FromCache.ShouldBeTrue();
        new CacheManager(store).List().Select(entry => entry.FullName).ShouldBe([entries[1], entries[0]]);
    }

    [Fact]
    public void The_command_lists_verifies_and_clears()
    {
        string before = Environment.GetEnvironmentVariable(CacheSettings.DirectoryVariable)!;
        CacheStore store = Fill(out string[] entries, TimeSpan.FromDays(9), TimeSpan.FromDays(2));
        (int, string, string) Sway(params string[] args) => SwayProcess.Run(store.Root, ["cache", .. args, "--json"]);

        (int code, string output, _) = Sway("list");
        code.ShouldBe(0);
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(2);
        output.ShouldContain("\"kind\":\"Conversion\"");
        Sway("verify").Item1.ShouldBe(0);
        File.AppendAllText(Path.Combine(entries[0], "adapter", "adapter_config.json"), " ");
        (code, output, _) = Sway("verify");
        code.ShouldBe(1);
        output.ShouldContain("\"state\":\"Damaged\"");
        Sway("clear", "--older-than", "5").Item1.ShouldBe(0);
        new CacheManager(store).List().ShouldHaveSingleItem().FullName.ShouldBe(entries[1]);
        Sway("clear").Item1.ShouldBe(0);
        new CacheManager(store).List().ShouldBeEmpty();
        Environment.GetEnvironmentVariable(CacheSettings.DirectoryVariable).ShouldBe(before);
    }

    [Theory]
    [InlineData("20GB", 20_000_000_000)]
    [InlineData("1.5 mb", 1_500_000)]
    [InlineData("512", 512)]
    [InlineData("0B", 0)]
    public void Sizes_are_read(string text, long bytes) => CacheSettings.ParseSize(text).ShouldBe(bytes);

    [Theory]
    [InlineData("")]
    [InlineData("much")]
    [InlineData("-1GB")]
    [InlineData("1e40GB")]
    [InlineData("NaN")]
    public void What_is_no_size_is_refused(string text) =>
        Should.Throw<CacheException>(() => CacheSettings.ParseSize(text)).Remedy.ShouldNotBeNull();

    [Theory]
    [InlineData("cache")]
    [InlineData("cache", "drop")]
    [InlineData("cache", "clear", "--older-than", "-1")]
    [InlineData("convert", "x", "--to", "mlx", "--use-cache", "--destination", "y")]
    public void Wrong_usage_is_exit_code_2(params string[] args) => CommandRun.Of(args).Code.ShouldBe(2);

    private CacheStore Fill(out string[] entries, params TimeSpan[] ages)
    {
        var store = new CacheStore(new CacheSettings { Directory = _folder.File("cache") });
        var cache = new ConversionCache(store);
        entries = new string[ages.Length];
        for (int i = 0; i < ages.Length; i++)
        {
            string adapter = SyntheticAdapter.Write(_folder.File($"a{i}"), layers: 1, rank: 4, width: 32, shift: i);
            string output = cache.Get(adapter, new ConversionOptions { NoBaseLookup = true }).FullName;
            entries[i] = Path.GetDirectoryName(output)!;
            File.SetLastWriteTimeUtc(Path.Combine(entries[i], "manifest"), DateTime.UtcNow - ages[i]);
        }

        return store;
    }
}
