using System.Diagnostics;
using System.Text.Json;
using Sway.Caching;
using Sway.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Caching;

public sealed class ConversionCacheTests : IDisposable
{
    private static readonly ConversionOptions s_options = new() { NoBaseLookup = true };

    private readonly TemporaryFolder _folder = new();
    private readonly CacheStore _store;
    private readonly ConversionCache _cache;

    public ConversionCacheTests()
    {
        _store = new CacheStore(new CacheSettings { Directory = _folder.File("cache") });
        _cache = new ConversionCache(_store);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_second_time_gives_the_same_folder_and_what_was_reported()
    {
        string adapter = Adapter("a");
        AdapterConversionResult first = _cache.Get(adapter, s_options);
        AdapterConversionResult second = _cache.Get(adapter, s_options);
        first.FromCache.ShouldBeFalse();
        second.FromCache.ShouldBeTrue();
        second.FullName.ShouldBe(first.FullName);
        JsonSerializer.Serialize(second with { Seconds = 0, FromCache = false }).ShouldBe(JsonSerializer.Serialize(first with { Seconds = 0 }));
        SameAsConverted(adapter, second.FullName);
    }

    [Fact]
    public void A_copy_of_the_adapter_and_a_reordered_configuration_are_the_same_entry()
    {
        string adapter = Adapter("a");
        string copy = _folder.File("copy [1]");
        Directory.CreateDirectory(copy);
        File.Copy(Path.Combine(adapter, "adapter_model.safetensors"), Path.Combine(copy, "adapter_model.safetensors"));
        File.WriteAllText(
            Path.Combine(copy, "adapter_config.json"),
            """{ "lora_alpha":16, "base_model_name_or_path": null, "r": 8, "target_modules": ["q_proj"], "peft_type": "LORA" }""");
        AdapterConversionResult first = _cache.Get(adapter, s_options);
        AdapterConversionResult second = _cache.Get(copy, s_options);
        second.FromCache.ShouldBeTrue();
        second.FullName.ShouldBe(first.FullName);
        second.Source.ShouldBe(copy);
    }

    [Fact]
    public void Whatever_decides_the_result_makes_another_entry()
    {
        string adapter = Adapter("a");
        var seen = new HashSet<string>(StringComparer.Ordinal) { _cache.Get(adapter, s_options).FullName };
        foreach (ConversionOptions options in (ConversionOptions[])
            [s_options with { KeyStyle = KeyStyle.Absolute }, s_options with { BaseName = "b" }, s_options with { Verify = true }])
        {
            seen.Add(_cache.Get(adapter, options).FullName).ShouldBeTrue();
        }

        string weights = Path.Combine(adapter, "adapter_model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);

        AdapterConversionResult changed = _cache.Get(adapter, s_options);
        seen.Add(changed.FullName).ShouldBeTrue();
        SameAsConverted(adapter, changed.FullName);
        string config = Path.Combine(adapter, "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"lora_alpha\":16", "\"lora_alpha\":24", StringComparison.Ordinal));
        AdapterConversionResult scaled = _cache.Get(adapter, s_options);
        seen.Add(scaled.FullName).ShouldBeTrue();
        scaled.Scale.ShouldBe(3.0);
    }

    [Theory]
    [InlineData("adapter/adapters.safetensors", "flip")]
    [InlineData("adapter/adapters.safetensors", "cut")]
    [InlineData("adapter/adapters.safetensors", "delete")]
    [InlineData("adapter/adapter_config.json", "flip")]
    [InlineData("adapter/adapter_config.json", "delete")]
    [InlineData("manifest", "flip")]
    [InlineData("manifest", "cut")]
    [InlineData("manifest", "delete")]
    [InlineData("adapter/adapter_model.safetensors", "add")]
    public void A_damaged_entry_is_made_anew(string name, string damage)
    {
        string adapter = Adapter("a");
        AdapterConversionResult first = _cache.Get(adapter, s_options);
        _cache.Get(adapter, s_options).FromCache.ShouldBeTrue();
        string file = Path.Combine(Path.GetDirectoryName(first.FullName)!, name);
        switch (damage)
        {
            case "flip":
                byte[] bytes = File.ReadAllBytes(file);
                bytes[bytes.Length / 2] ^= 1;
                File.WriteAllBytes(file, bytes);
                break;
            case "cut":
                using (FileStream stream = File.OpenWrite(file))
                {
                    stream.SetLength(stream.Length / 2);
                }

                break;
            case "delete":
                File.Delete(file);
                break;
            default:
                File.WriteAllText(file, "foreign");
                break;
        }

        var manager = new CacheManager(_store);
        manager.Verify(manager.List().ShouldHaveSingleItem()).State.ShouldBe(CacheEntryState.Damaged);
        AdapterConversionResult again = _cache.Get(adapter, s_options);
        again.FromCache.ShouldBeFalse();
        again.FullName.ShouldBe(first.FullName);
        SameAsConverted(adapter, again.FullName);
        manager.Verify(manager.List().ShouldHaveSingleItem()).State.ShouldBe(CacheEntryState.Ok);
    }

    [Fact]
    public void A_refused_adapter_leaves_nothing()
    {
        string adapter = Path.Combine(Repository.Sample("adapters"), "broken");
        Should.Throw<Sway.Adapters.ConversionRefusedException>(() => _cache.Get(adapter, new ConversionOptions()));
        new CacheManager(_store).List().ShouldBeEmpty();
        Leftovers(_store.Root).ShouldBeEmpty();
    }

    [Fact]
    public void Eight_processes_at_once_end_with_one_entry_and_eight_right_results()
    {
        string adapter = SyntheticAdapter.Write(_folder.File("big"), layers: 8, rank: 16, width: 4096);
        Process[] processes = [.. Enumerable.Range(0, 8).Select(_ =>
            SwayProcess.Start(_store.Root, "convert", adapter, "--to", "mlx", "--no-base", "--use-cache", "--json"))];
        var outputs = new HashSet<string>(StringComparer.Ordinal);
        int converted = 0;
        foreach (Process process in processes)
        {
            using (process)
            {
                (int code, string output, string error) = SwayProcess.Finish(process);
                code.ShouldBe(0, error);
                JsonElement line = JsonDocument.Parse(output).RootElement;
                outputs.Add(line.GetProperty("fullName").GetString()!);
                converted += line.GetProperty("fromCache").GetBoolean() ? 0 : 1;
            }
        }

        converted.ShouldBe(1);
        SameAsConverted(adapter, outputs.ShouldHaveSingleItem());
        new CacheManager(_store).List().ShouldHaveSingleItem();
        Leftovers(_store.Root).ShouldBeEmpty();
    }

    [Fact]
    public void Killed_at_random_moments_it_leaves_no_wrong_or_partial_entry()
    {
        var random = new Random(8);
        string warm = SyntheticAdapter.Write(_folder.File("warm"), layers: 8, rank: 16, width: 4096, shift: 100f);
        string[] Arguments(string path) => ["convert", path, "--to", "mlx", "--no-base", "--use-cache", "--json"];
        long started = Stopwatch.GetTimestamp();
        SwayProcess.Run(_store.Root, Arguments(warm)).Code.ShouldBe(0);
        TimeSpan whole = Stopwatch.GetElapsedTime(started);
        int killed = 0;
        var adapters = new List<string>();
        for (int i = 0; i < 25; i++)
        {
            // Each adapter is killed twice: the second time it may meet what the first left.
            string adapter = _folder.File($"a{i / 2}");
            if (i % 2 == 0)
            {
                SyntheticAdapter.Write(adapter, layers: 8, rank: 16, width: 4096, shift: i / 2);
            }

            TimeSpan? took = SwayProcess.RunUntil(_store.Root, whole * (0.3 + (0.8 * random.NextDouble())), Arguments(adapter));
            killed += took is null ? 1 : 0;

            // The first run may have been a slow one; a quicker one that converts too says when to come.
            whole = i % 2 == 0 && took < whole ? took.Value : whole;
            adapters.Add(adapter);
            var manager = new CacheManager(_store);
            manager.List().ShouldAllBe(entry => manager.Verify(entry, CancellationToken.None).State == CacheEntryState.Ok);
        }

        killed.ShouldBeGreaterThan(5);
        foreach (string adapter in adapters.Distinct(StringComparer.Ordinal))
        {
            SameAsConverted(adapter, _cache.Get(adapter, s_options).FullName);
        }
    }

    private static IEnumerable<string> Leftovers(string root) => Directory.Exists(Path.Combine(root, "tmp"))
        ? Directory.EnumerateFileSystemEntries(Path.Combine(root, "tmp"))
        : [];

    private string Adapter(string name) => SyntheticAdapter.Write(_folder.File(name), layers: 2, rank: 8, width: 64);

    private void SameAsConverted(string adapter, string folder)
    {
        string truth = _folder.File("truth-" + Guid.NewGuid().ToString("N"));
        AdapterConverter.Convert(adapter, truth, s_options);
        foreach (string file in Directory.EnumerateFiles(truth))
        {
            File.ReadAllBytes(Path.Combine(folder, Path.GetFileName(file))).ShouldBe(File.ReadAllBytes(file));
        }
    }
}
