using System.CommandLine;
using Sway.Caching;
using Sway.Inference;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>The options that all measuring commands share.</summary>
internal sealed class MeasureOptions
{
    private readonly Option<string> _model = new("--model") { Description = "The base model's folder.", HelpName = "DIR", Required = true };
    private readonly Option<string[]> _adapters = new("--adapter")
    {
        Description = "An adapter; may be given several times.", HelpName = "PATH", DefaultValueFactory = _ => [],
    };

    private readonly Option<BackendChoice> _backend = CommonOptions.OneOf("--backend", "The engine.", (BackendChoice?)BackendChoice.Auto);
    private readonly Option<int> _threads = CommonOptions.Count("--threads", "Threads; 0 = one for each processor.", "N");
    private readonly Option<PrecisionChoice> _precision = CommonOptions.OneOf("--precision", "The arithmetic.", (PrecisionChoice?)PrecisionChoice.Float32);
    private readonly Option<double> _strength = CommonOptions.Number(
        "--strength", "Strength of the adapter: 0 = base, 1 = the adapter, anything between or beyond.", "L", 1.0, double.IsFinite, "a finite number");

    private readonly Option<BosMode> _bos = CommonOptions.OneOf("--bos", "Whether a start token is put in front.", (BosMode?)BosMode.Auto);
    private readonly Option<bool> _detailed = new("--detailed") { Description = "Numbers of each token too." };

    private readonly Option<string?> _trace = new("--trace-path") { Description = "A file that gets one JSON line for each item: time, tokens, cache hit.", HelpName = "FILE" };
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Neither take scores from the cache nor keep them there." };

    /// <summary>Adds the options to a command.</summary>
    internal MeasureOptions AddTo(Command command)
    {
        foreach (Option option in (Option[])[_model, _adapters, _backend, _threads, _precision, _strength, _bos, _detailed, _trace, _noCache])
        {
            command.Options.Add(option);
        }

        return this;
    }

    /// <summary>The adapters that were named.</summary>
    internal string[] Adapters(CommandContext context) => context.Value(_adapters);

    /// <summary>When a start token is put in front.</summary>
    internal BosMode Bos(CommandContext context) => context.Value(_bos);

    /// <summary>Whether numbers of each token are wanted.</summary>
    internal bool Detailed(CommandContext context) => context.Value(_detailed);

    /// <summary>Loads the model.</summary>
    internal ScoringSession Open(CommandContext context)
    {
        return ScoringSession.Open(
            ExistingPath.Of(context.Value(_model)), null, new ScoringOptions
            {
                Backend = context.Value(_backend),
                Precision = context.Value(_precision),
                Threads = context.Value(_threads),
                Strength = context.Value(_strength),
                Cache = context.Value(_noCache) ? null : CacheStore.Open(),
                TracePath = context.Value(_trace),
            });
    }

    /// <summary>Runs a body for each adapter, or once without one; a failing adapter is reported and the next one follows.</summary>
    internal int ForEachAdapter(CommandContext context, ScoringSession session, Func<MeasureRun, int> body)
    {
        string[] adapters = Adapters(context);
        if (adapters.Length == 0)
        {
            return body(Run(null));
        }

        int code = ExitCode.Done;
        int failed = context.ForEach(adapters, adapter =>
        {
            session.Attach(ExistingPath.Of(adapter));
            code = Math.Max(code, body(Run(adapter)));
        });
        return Math.Max(code, failed);

        MeasureRun Run(string? adapter) => new(
            context, session, adapter, adapters.Length > 1, context.Value(_strength), context.Value(_precision));
    }
}
