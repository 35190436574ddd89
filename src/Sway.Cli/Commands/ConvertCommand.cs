using System.Collections.Immutable;
using System.CommandLine;
using Sway.Adapters;
using Sway.Caching;
using Sway.Cli.Output;
using Sway.Conversion;

namespace Sway.Cli.Commands;

/// <summary><c>sway convert</c>: adapters into another format, exactly or not at all.</summary>
internal static class ConvertCommand
{
    internal static Command Create()
    {
        Argument<string[]> paths = CommonOptions.AdapterPaths();
        var destination = new Option<string?>("--destination", "-o")
        {
            Description = "The output folder; with several PATHs, one folder in it for each. Without it: NAME-mlx or NAME-peft beside the source.",
            HelpName = "DIR",
        };
        var force = new Option<bool>("--force") { Description = "Replace an output that exists." };
        var verify = new Option<bool>("--verify")
        {
            Description = "Read the output back and compare every module's delta with the source's.",
        };
        var whatIf = new Option<bool>("--what-if") { Description = "Say what would be written, and write nothing." };
        var useCache = new Option<bool>("--use-cache")
        {
            Description = "Convert into the cache, or take the result from there: the output's folder must not be changed.",
        };
        var options = new ConversionOptionSet(force, verify);
        var command = new Command("convert", "Convert adapters to mlx-lm or PEFT: exactly, or refused with every reason.")
        {
            paths, destination,
        };
        options.AddTo(command);
        command.Options.Add(whatIf);
        command.Options.Add(useCache);
        return command.Runs(context =>
        {
            CacheStore? cache = context.Value(useCache) ? CacheStore.Open() : null;
            if (cache is not null && context.Value(destination) is not null)
            {
                throw new UsageException("--destination and --use-cache exclude each other.");
            }

            int code = Run(context, context.Value(paths), context.Value(destination), options.Read(context), context.Value(whatIf), cache);
            if (cache is not null)
            {
                new CacheManager(cache).Limit();
            }

            return code;
        });
    }

    private static int Run(CommandContext context, string[] paths, string? destination, ConversionOptions options, bool whatIf, CacheStore? cache)
    {
        string? folder = destination is null ? null : Path.GetFullPath(destination);
        return context.ForEach(paths, path =>
        {
            string source = ExistingPath.Of(path);
            string target = cache?.Root ?? ConversionDestination.Of(source, folder, paths.Length > 1, options.Target);
            AdapterConversionResult result = whatIf
                ? Plan(context, source, target, options)
                : Convert(context, source, target, options, cache);
            if (context.Output.IsJson)
            {
                context.Output.Json(result, CliJson.Default.AdapterConversionResult);
            }
            else
            {
                ConversionReport.Write(context.Output, result, planned: whatIf);
            }
        });
    }

    private static AdapterConversionResult Plan(CommandContext context, string source, string target, ConversionOptions options)
    {
        using ConversionPlan plan = AdapterConverter.Plan(source, options, context.Token);
        return plan.Summary with { FullName = target };
    }

    private static AdapterConversionResult Convert(CommandContext context, string source, string target, ConversionOptions options, CacheStore? cache)
    {
        using var progress = new ConsoleProgress(context.Output, Path.GetFileName(target));
        return cache is null
            ? AdapterConverter.Convert(source, target, options, progress, context.Token)
            : new ConversionCache(cache).Get(source, options, progress, context.Token);
    }
}

/// <summary>The options that make <see cref="ConversionOptions"/>; <c>convert</c> and <c>explain</c> share them.</summary>
internal sealed class ConversionOptionSet(Option<bool>? force = null, Option<bool>? verify = null)
{
    private readonly Option<ConversionTarget> _target = CommonOptions.OneOf<ConversionTarget>(
        "--to", "The format to write.", required: true);

    private readonly Option<string?> _base = CommonOptions.Base();
    private readonly Option<bool> _noBase = CommonOptions.NoBase();
    private readonly Option<bool> _strict = new("--strict")
    {
        Description = "Refuse where an assumption would be made under a warning.",
    };

    private readonly Option<string?> _adapterName = new("--adapter-name")
    {
        Description = "Which adapter, where one folder or file holds several.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _initialAdapter = new("--initial-adapter")
    {
        Description = "The adapter as it was at initialisation (PiSSA, OLoRA, CorDA, LoRA-GA).",
        HelpName = "DIR",
    };

    private readonly Option<double?> _alpha = new("--alpha") { Description = "Alpha, where the source lacks it.", HelpName = "X" };

    private readonly Option<KeyStyle> _keyStyle = CommonOptions.OneOf<KeyStyle>(
        "--key-style", "How an mlx-lm output names modules; auto suits mlx-swift-lm too where that is exact.", KeyStyle.Auto);

    private readonly Option<int> _transformersVersion = new("--transformers-version")
    {
        Description = "How a PEFT output writes experts: 4 or 5.",
        HelpName = "4|5",
        DefaultValueFactory = _ => 5,
    };

    private readonly Option<string?> _baseName = new("--base-name")
    {
        Description = "The base model's name to record in place of the source's.",
        HelpName = "NAME",
    };

    private readonly Option<RefusalCategory[]> _allowLoss = CommonOptions.SomeOf<RefusalCategory>(
        "--allow-loss",
        "Kinds of content that may be dropped, by the names that refusals give in brackets (for example modules-to-save,bias-trained).",
        "CATEGORY,...");

    /// <summary>Adds every option to <paramref name="command"/>.</summary>
    internal void AddTo(Command command)
    {
        _transformersVersion.AcceptOnlyFromAmong("4", "5");
        Option[] all =
        [
            _target, _base, _noBase, _strict, _adapterName, _initialAdapter, _alpha, _keyStyle, _transformersVersion, _baseName,
            _allowLoss,
        ];
        Array.ForEach(all, command.Options.Add);
        if (force is not null)
        {
            command.Options.Add(force);
        }

        if (verify is not null)
        {
            command.Options.Add(verify);
        }
    }

    /// <summary>The values of one invocation.</summary>
    internal ConversionOptions Read(CommandContext context)
    {
        if (context.Value(_base) is not null && context.Value(_noBase))
        {
            throw new UsageException("--base and --no-base exclude each other.");
        }

        return new()
        {
            Target = context.Value(_target),
            BaseModel = AbsoluteFolder(context.Value(_base), "--base"),
            NoBaseLookup = context.Value(_noBase),
            Strict = context.Value(_strict),
            AdapterName = context.Value(_adapterName),
            InitialAdapter = AbsoluteFolder(context.Value(_initialAdapter), "--initial-adapter"),
            Alpha = context.Value(_alpha),
            KeyStyle = context.Value(_keyStyle),
            TransformersVersion = context.Value(_transformersVersion),
            BaseName = context.Value(_baseName),
            AllowLoss = context.Value(_allowLoss).ToImmutableHashSet(),
            Force = force is not null && context.Value(force),
            Verify = verify is not null && context.Value(verify),
        };
    }

    private static string? AbsoluteFolder(string? path, string option)
    {
        if (path is null)
        {
            return null;
        }

        string full = Path.GetFullPath(path);
        return Directory.Exists(full) ? full : throw new UsageException($"{option}: {path} is not a folder.");
    }
}
