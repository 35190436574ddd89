using System.Diagnostics;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.IO;

namespace Sway.Caching;

/// <summary>
/// Conversions by content: the same adapter, base model, choices and converter give the same folder, which is converted once, whichever
/// process asks first, and checked whenever it is handed out.
/// </summary>
public sealed class ConversionCache(CacheStore store)
{
    /// <summary>The converted adapter, from the cache or put there now.</summary>
    /// <param name="path">The source adapter.</param>
    /// <param name="options">Choices; whether to replace an output has no meaning here.</param>
    /// <param name="progress">Gets bytes written and in all, when there is something to convert.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <returns>The conversion's result; its folder must not be changed, and lives until the cache is cleared or evicts it.</returns>
    /// <exception cref="ConversionRefusedException">The result would not be exact.</exception>
    /// <exception cref="CacheException">A file changes while it is read.</exception>
    public AdapterConversionResult Get(
        string path, ConversionOptions options, IProgress<ByteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        long started = Stopwatch.GetTimestamp();
        var inputs = new CacheInputs(store.Digests);
        (string key, string source, string? model) = Key(path, options, inputs, cancellationToken);
        string entry = Path.Combine(store.Conversions, key);
        AdapterConversionResult? found = Find(entry, cancellationToken);
        if (found is null)
        {
            using (store.Lock(key, cancellationToken))
            {
                // Another process may have made it while this one waited.
                found = Find(entry, cancellationToken) ?? Make(key, entry, path, options, inputs, progress, cancellationToken);
            }
        }

        return found with
        {
            Source = source,
            BaseModel = model,
            Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
        };
    }

    private static (string Key, string Source, string? Model) Key(
        string path, ConversionOptions options, CacheInputs inputs, CancellationToken cancellationToken)
    {
        using LoraAdapter adapter = AdapterReader.Open(path, new AdapterOpenOptions
        {
            AdapterName = options.AdapterName, Alpha = options.Alpha, BaseModel = options.BaseModel, NoBaseLookup = options.NoBaseLookup,
        });
        using BaseModel? model = BaseModelLocator.Open(
            adapter.Path, adapter.BaseModelName, options.BaseModel, !options.NoBaseLookup, out BaseSource source);
        using var key = new ContentKey();
        key.Add("kind", "conversion").Add("converter", Converter.Version).Add("software", ContentKey.Software);
        key.Add("target", options.Target.ToString()).Add("key style", options.KeyStyle.ToString()).Add("strict", options.Strict ? 1 : 0);
        key.Add("adapter name", options.AdapterName).Add("base name", options.BaseName).Add("transformers", options.TransformersVersion);
        key.Add("alpha", options.Alpha ?? double.NaN).Add("verify", options.Verify ? 1 : 0);
        key.Add("allowed", string.Join(',', options.AllowLoss.Order()));
        inputs.Adapter(key, adapter, cancellationToken);
        key.Add("base source", source.ToString());
        if (model is not null)
        {
            inputs.BaseOfConversion(key, model.Folder);
        }

        if (options.InitialAdapter is not null)
        {
            using LoraAdapter initial = AdapterReader.Open(options.InitialAdapter);
            inputs.Adapter(key.Add("initial", "adapter"), initial, cancellationToken);
        }

        return (key.Finish(), adapter.Path, model?.Folder);
    }

    private AdapterConversionResult? Find(string entry, CancellationToken cancellationToken)
    {
        try
        {
            if (ConversionManifest.Read(entry) is not { } manifest || manifest.Problem(entry, store.Digests, cancellationToken) is not null)
            {
                return null;
            }

            CacheStore.Touch(Path.Combine(entry, ConversionManifest.FileName));
            return manifest.Result with { FullName = Path.Combine(entry, ConversionManifest.AdapterFolder), FromCache = true };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Evicted or replaced between two looks.
            return null;
        }
    }

    private AdapterConversionResult Make(
        string key, string entry, string path, ConversionOptions options, CacheInputs inputs, IProgress<ByteProgress>? progress,
        CancellationToken cancellationToken)
    {
        store.SweepStages(key);
        string stage = store.Stage(key);
        try
        {
            string folder = Path.Combine(stage, ConversionManifest.AdapterFolder);
            AdapterConversionResult result = AdapterConverter.Convert(path, folder, options with { Force = false }, progress, cancellationToken);
            ConversionManifest.Describe(result with { FullName = "", Source = path, BaseModel = null }, folder, store.Digests, cancellationToken).Write(stage);
            if (!inputs.AreUnchanged())
            {
                throw new CacheException($"{path} changed while it was converted.") { Path = path, Remedy = "Wait until it is written, then try again." };
            }

            // What stands there now is damaged, or it would have been found.
            if (Directory.Exists(entry))
            {
                store.Remove(entry);
            }

            CacheStore.MakeFolder(store.Conversions);
            CacheStore.Flush(stage);
            Directory.Move(stage, entry);
            CacheStore.Flush(store.Conversions);
            return result with { FullName = Path.Combine(entry, ConversionManifest.AdapterFolder) };
        }
        catch
        {
            if (Directory.Exists(stage))
            {
                Directory.Delete(stage, recursive: true);
            }

            throw;
        }
    }
}
