using System.CommandLine;
using System.Globalization;
using Sway.Caching;
using Sway.Cli.Output;

namespace Sway.Cli.Commands;

/// <summary><c>sway cache</c>: what is kept for the next time.</summary>
internal static class CacheCommand
{
    private enum CacheAction
    {
        List,
        Verify,
        Clear,
    }

    internal static Command Create()
    {
        var action = new Argument<CacheAction>("ACTION")
        {
            Description = "list: what there is; verify: read every byte and say what is damaged; clear: remove entries.",
            HelpName = "list|verify|clear",
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (Enum.GetValues<CacheAction>().Where(value => string.Equals(value.ToString(), text, StringComparison.OrdinalIgnoreCase)).ToArray() is [var found])
                {
                    return found;
                }

                result.AddError($"'{text}' is none of: list, verify, clear");
                return default;
            },
        };
        var olderThan = new Option<double?>("--older-than") { Description = "Only entries that were not used for so many days.", HelpName = "DAYS" };
        olderThan.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double days) && days is not (>= 0 and < 1e5))
            {
                result.AddError("--older-than: give a number of days");
            }
        });
        var command = new Command("cache", "List, verify or clear the converted adapters and scores that are kept (in SWAY_CACHE_DIR, else the user's cache folder).")
        {
            action, olderThan,
        };
        return command.Runs(context => Run(context, context.Value(action), context.Value(olderThan)));
    }

    private static int Run(CommandContext context, CacheAction action, double? olderThan)
    {
        var store = CacheStore.Open();
        var manager = new CacheManager(store);
        DateTime limit = DateTime.UtcNow - TimeSpan.FromDays(olderThan ?? 0);
        List<SwayCacheEntry> entries = [.. manager.List().Where(entry => olderThan is null || entry.LastUsed <= limit)];
        if (action == CacheAction.Verify)
        {
            entries = entries.ConvertAll(entry => manager.Verify(entry, context.Token));
        }

        foreach (SwayCacheEntry entry in entries)
        {
            context.Token.ThrowIfCancellationRequested();
            if (action == CacheAction.Clear)
            {
                manager.Remove(entry);
            }

            if (context.Output.IsJson)
            {
                context.Output.Json(entry, CliJson.Default.SwayCacheEntry);
            }
        }

        if (action == CacheAction.Clear && olderThan is null)
        {
            manager.RemoveRest();
        }

        if (!context.Output.IsJson)
        {
            Show(context, action, store, entries);
        }

        return entries.Exists(entry => entry.State == CacheEntryState.Damaged) ? ExitCode.Failed : ExitCode.Done;
    }

    private static void Show(CommandContext context, CacheAction action, CacheStore store, List<SwayCacheEntry> entries)
    {
        string size = Format.Bytes(entries.Sum(entry => entry.SizeBytes));
        if (action == CacheAction.Clear)
        {
            context.Output.Line(string.Create(CultureInfo.InvariantCulture, $"{entries.Count} entries removed, {size}, from {Format.Path(store.Root)}"));
            return;
        }

        if (entries.Count > 0)
        {
            TextTable table = new TextTable().Column("Kind").Column("Key").Column("Size", right: true).Column("Files", right: true).Column("Last used").Column("Origin", wrap: true);
            if (action == CacheAction.Verify)
            {
                table.Column("State", wrap: true);
            }

            foreach (SwayCacheEntry entry in entries)
            {
                string[] cells =
                [
                    entry.Kind.ToString(), entry.Key[..12], Format.Bytes(entry.SizeBytes), entry.FileCount.ToString(CultureInfo.InvariantCulture),
                    entry.LastUsed.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), entry.Origin,
                ];
                table.Row(action == CacheAction.Verify ? [.. cells, entry.Problem ?? "ok"] : cells);
            }

            table.WriteTo(context.Output);
        }

        context.Output.Line(string.Create(CultureInfo.InvariantCulture, $"{entries.Count} entries, {size}, in {Format.Path(store.Root)}"));
    }
}
