using Sway.Adapters;
using Sway.Architectures;
using Sway.Inference;
using Sway.Inference.Cpu;
using Sway.Inference.Models;
using Sway.Tensors;

namespace Sway.Scoring;

/// <summary>
/// A base model loaded once, with or without an adapter: log-probabilities of both views from one set of weights. Calls from several
/// threads queue.
/// </summary>
public sealed class ScoringSession : IDisposable
{
    private readonly Lock _lock = new();
    private readonly WeightStore _store;
    private readonly Decoder _decoder;
    private readonly ScoringOptions _options;
    private DecoderView[] _views;
    private bool _disposed;

    private ScoringSession(string modelPath, ModelConfig config, WeightStore store, Decoder decoder, ScoringOptions options)
    {
        ModelPath = modelPath;
        Config = config;
        _store = store;
        _decoder = decoder;
        _options = options;
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

    /// <summary>Loads a model, and an adapter of any form that Sway reads.</summary>
    /// <param name="model">Folder with config.json and safetensors.</param>
    /// <param name="adapter">The adapter, or null.</param>
    /// <param name="options">How to compute; null for the defaults.</param>
    /// <exception cref="UnsupportedModelException">The model cannot be computed exactly.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged, or the adapter does not fit the model.</exception>
    public static ScoringSession Open(string model, string? adapter = null, ScoringOptions? options = null)
    {
        var config = ModelConfig.Load(model);
        var mapped = MappedWeights.OpenFolder(model);
        var settings = options ?? new ScoringOptions();
        WeightStore? store = null;
        CpuEngine? engine = null;
        try
        {
            store = new WeightStore(mapped, config, ModelRegistry.OptionalPrefix(config.ModelType));
            var spec = ModelRegistry.Describe(config, store.Has);
            engine = new CpuEngine(settings.Threads);
            var session = new ScoringSession(model, config, store, new Decoder(engine, store, spec), settings);
            if (adapter is not null)
            {
                session.Attach(adapter);
            }

            return session;
        }
        catch
        {
            engine?.Dispose();
            store?.Dispose();
            mapped.Dispose();
            throw;
        }
    }

    /// <summary>Puts an adapter in the place of the present one; the base stays loaded.</summary>
    public void Attach(string adapter)
    {
        using var opened = AdapterReader.Open(adapter, new AdapterOpenOptions { AdapterName = _options.AdapterName, BaseModel = ModelPath });
        Attach(opened);
    }

    /// <summary>Puts an open adapter in the place of the present one; it can be closed afterwards.</summary>
    public void Attach(LoraAdapter adapter)
    {
        lock (_lock)
        {
            var attached = new AdapterAttacher(_decoder, adapter).Attach();
            _views = [_views[0], new DecoderView("Adapted", attached, _options.Strength)];
            AdapterPath = adapter.Path;
        }
    }

    /// <summary>Scores sequences, in waves and in order.</summary>
    /// <param name="sequences">The sequences; each with at least one scored token.</param>
    /// <param name="divergence">Whether divergences are wanted.</param>
    /// <param name="progress">Receives tokens done.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    /// <exception cref="ScoringException">A number is not finite, a token is outside the vocabulary, nothing is scored.</exception>
    public IEnumerable<SequenceScore> Score(
        IEnumerable<TokenSequence> sequences, bool divergence = false, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        long done = 0;
        var wave = new List<TokenSequence>();
        var tokens = 0;
        foreach (var sequence in sequences)
        {
            if (wave.Count > 0 && tokens + sequence.Ids.Count > _options.WaveTokens)
            {
                foreach (var score in Run(wave, divergence, cancellationToken))
                {
                    yield return score;
                }

                progress?.Report(done += tokens);
                wave = [];
                tokens = 0;
            }

            wave.Add(sequence);
            tokens += sequence.Ids.Count;
        }

        if (wave.Count > 0)
        {
            foreach (var score in Run(wave, divergence, cancellationToken))
            {
                yield return score;
            }

            progress?.Report(done + tokens);
        }
    }

    /// <summary>Scores one sequence.</summary>
    public SequenceScore Score(TokenSequence sequence, bool divergence = false, CancellationToken cancellationToken = default) =>
        Score([sequence], divergence, null, cancellationToken).Single();

    /// <summary>Opens a decoding run over all views.</summary>
    internal T Exclusive<T>(Func<Decoder, IReadOnlyList<DecoderView>, T> body)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return body(_decoder, _views);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _disposed = true;
                _decoder.Engine.Dispose();
                _store.Dispose();
            }
        }
    }

    private SequenceScore[] Run(List<TokenSequence> wave, bool divergence, CancellationToken cancellationToken) =>
        Exclusive((decoder, views) => WaveScorer.Score(decoder, views, wave, divergence, _options.SharePrefixes, cancellationToken));
}
