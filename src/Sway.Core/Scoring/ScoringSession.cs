using Sway.Adapters;
using Sway.Architectures;
using Sway.Caching;
using Sway.Conversion;
using Sway.Inference;
using Sway.Inference.Mlx;
using Sway.Inference.Models;
using Sway.Tensors;

namespace Sway.Scoring;

/// <summary>
/// A base model loaded once, with or without an adapter: log-probabilities of both views from one set of weights. Calls from several
/// threads queue.
/// </summary>
public sealed partial class ScoringSession : IDisposable, ISequenceScorer
{
    // Not a lock: a call that waits for its turn can be cancelled too.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly WeightStore _store;
    private readonly Decoder _decoder;
    private readonly ScoringOptions _options;
    private readonly ScoringRecorder _recorder;
    private readonly CachedScorer _scorer;
    private readonly CacheInputs? _modelFiles;
    private readonly AdapterShelf _shelf = new();
    private DecoderView[] _views;
    private bool _cacheOpened;
    private bool _disposed;

    private ScoringSession(
        string modelPath, ModelConfig config, WeightStore store, Decoder decoder, ScoringOptions options, CacheInputs? modelFiles)
    {
        ModelPath = modelPath;
        Config = config;
        _store = store;
        _decoder = decoder;
        _options = options;
        _modelFiles = modelFiles;
        _recorder = new ScoringRecorder(options.TracePath);
        _scorer = new CachedScorer(options, _recorder);
        decoder.Passed = _recorder.Pass;
        _views = [new DecoderView("Base", null, 0.0)];
    }

    /// <summary>The model's folder.</summary>
    public string ModelPath { get; }

    /// <summary>The adapter's path, or null.</summary>
    public string? AdapterPath { get; private set; }

    /// <summary>The model's configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>The engine that computes: cpu or mlx.</summary>
    public string Backend => _decoder.Engine.Name;

    /// <summary>Number of tokens in the vocabulary.</summary>
    public int VocabularySize => _decoder.Spec.VocabularySize;

    /// <summary>The longest sequence the model was made for.</summary>
    public int MaxPositions => _decoder.Spec.MaxPositions;

    /// <summary>Whether there is an adapted view.</summary>
    public bool HasAdapter => _views.Length > 1;

    /// <summary>What the session has done so far.</summary>
    public ScoringStatistics Statistics => _recorder.Statistics;

    /// <summary>Loads a model, and an adapter of any form that Sway reads.</summary>
    /// <param name="model">Folder with config.json and safetensors.</param>
    /// <param name="adapter">The adapter, or null.</param>
    /// <param name="options">How to compute; null for the defaults.</param>
    /// <exception cref="UnsupportedModelException">The model cannot be computed exactly.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged, or the adapter does not fit the model.</exception>
    public static ScoringSession Open(string model, string? adapter = null, ScoringOptions? options = null)
    {
        var config = ModelConfig.Load(model);
        var settings = options ?? new ScoringOptions();

        // Before the files are mapped: whoever replaces one later is noticed, and nothing is stored under its digest.
        var modelFiles = settings.Cache is null ? null : CacheInputs.Of(model);
        var mapped = MappedWeights.OpenFolder(model);
        WeightStore? store = null;
        IEngine? engine = null;
        ScoringSession? session = null;
        try
        {
            store = new WeightStore(mapped, config, ModelRegistry.OptionalPrefix(config.ModelType));
            var spec = ModelRegistry.Describe(config, store.Has);
            engine = EngineFactory.Create(settings.Backend, settings.Precision, settings.Threads);
            var decoder = engine.Execute(() => new Decoder(engine, store, spec));
            session = new ScoringSession(model, config, store, decoder, settings, modelFiles);
            if (adapter is not null)
            {
                session.Attach(adapter);
            }

            return session;
        }
        catch
        {
            session?._recorder.Dispose();
            engine?.Dispose();
            store?.Dispose();
            mapped.Dispose();
            throw;
        }
    }

    /// <summary>Puts an adapter in the place of the present one; the base stays loaded.</summary>
    public void Attach(string adapter)
    {
        using var converted = Converted(adapter, out var source);
        using var opened = converted is null
            ? AdapterReader.Open(adapter, new AdapterOpenOptions { AdapterName = _options.AdapterName, BaseModel = ModelPath })
            : null;
        Attach(converted ?? opened!, source);
    }

    /// <summary>Puts an open adapter in the place of the present one; it can be closed afterwards.</summary>
    public void Attach(LoraAdapter adapter) => Attach(adapter, null);

    private void Attach(LoraAdapter adapter, string? path) => Exclusive(
        (decoder, views) =>
        {
            var name = AdapterShelf.NameOf(adapter);
            var shelved = _shelf.Find(name);
            if (shelved is null)
            {
                OpenCache(adapter, path);
                shelved = new ShelvedAdapter(new AdapterAttacher(decoder, adapter).Attach(), _scorer.Cache);
                _shelf.Keep(name, shelved);
            }

            _scorer.Cache = shelved.Scores;
            _views = [views[0], new DecoderView("Adapted", shelved.Adapter, _options.Strength)];
            AdapterPath = path ?? adapter.Path;
            return true;
        },
        CancellationToken.None);

    /// <inheritdoc/>
    SequenceScore[] ISequenceScorer.Score(
        IReadOnlyList<TokenSequence> wave, bool divergence, Action<double>? advanced, CancellationToken cancellationToken) => Cached(
        (scorer, decoder, views) => scorer.Score(decoder, views, wave, divergence, advanced, cancellationToken),
        cancellationToken);

    /// <summary>Runs a body that has the engine for itself; no tensor that it makes outlives it.</summary>
    internal T Exclusive<T>(Func<Decoder, IReadOnlyList<DecoderView>, T> body, CancellationToken cancellationToken)
    {
        _turn.Wait(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _decoder.Engine.Execute(() =>
            {
                _decoder.Engine.Cancellation = cancellationToken;
                try
                {
                    return body(_decoder, _views);
                }
                finally
                {
                    _decoder.Engine.Cancellation = default;
                    _decoder.Engine.Reclaim();
                }
            });
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _turn.Wait();
        try
        {
            if (!_disposed)
            {
                _disposed = true;
                _decoder.Engine.Dispose();
                _store.Dispose();
                _recorder.Dispose();
                if (_scorer.Cache is not null)
                {
                    new CacheManager(_options.Cache!).Limit();
                }
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Runs a body that answers from the cache where it can.</summary>
    internal T Cached<T>(Func<CachedScorer, Decoder, IReadOnlyList<DecoderView>, T> body, CancellationToken cancellationToken) => Exclusive(
        (decoder, views) =>
        {
            if (!_cacheOpened)
            {
                OpenCache(null);
            }

            return body(_scorer, decoder, views);
        },
        cancellationToken);

    // For the MLX engine an adapter of another format is converted once and kept, so that what is measured is what mlx-lm would load.
    // What has no exact form there is attached as it is.
    private LoraAdapter? Converted(string adapter, out string? source)
    {
        source = null;
        if (_options.Cache is not { } store || _decoder.Engine is not MlxEngine)
        {
            return null;
        }

        try
        {
            var options = new ConversionOptions { BaseModel = ModelPath, AdapterName = _options.AdapterName };
            var result = new ConversionCache(store).Get(adapter, options);
            source = result.Source;
            return AdapterReader.Open(result.FullName);
        }
        catch (Exception e) when (e is ConversionRefusedException or IOException or UnauthorizedAccessException)
        {
            // A cache that cannot be written costs no measurement either; what is wrong with the adapter's own files comes up again.
            return null;
        }
    }

    // An adapter whose files are not known (made in memory) has no key.
    private void OpenCache(LoraAdapter? adapter, string? path = null)
    {
        _cacheOpened = true;
        _scorer.Cache = null;
        if (_options.Cache is { } store && (adapter is null || adapter.Files.Count > 0) && _modelFiles!.AreUnchanged())
        {
            var origin = new ScoreOrigin(ModelPath, adapter is null ? null : path ?? adapter.Path, Backend, adapter is null ? 0.0 : _options.Strength);
            var cache = ScoreCache.Open(store, origin, adapter, _options.AdapterName, _decoder.Engine.Identity, CancellationToken.None);
            _scorer.Cache = _modelFiles.AreUnchanged() ? cache : null;
        }
    }
}
