using System.Globalization;
using System.Text.Json.Nodes;
using Sway.Cli.Diagnostics;

namespace Sway.Cli.Output;

/// <summary>The gains of the sample adapters, as a table or as JSON lines.</summary>
internal static class SampleGainTable
{
    /// <summary>Writes them.</summary>
    internal static void Write(CommandOutput output, SampleGains fields, IReadOnlyList<SampleGain> gains)
    {
        if (output.IsJson)
        {
            WriteJson(output, fields, gains);
            return;
        }

        output.Line("What each adapter gains over the base in nats per token, on texts that none was trained on and on kinds of prompts:");
        output.Line();
        var table = new TextTable().Column("Adapter");
        foreach (string field in fields.Fields)
        {
            table.Column(field, right: true);
        }

        if (gains.FirstOrDefault(gain => gain.Error is null) is { } any)
        {
            table.Row(["(base itself)", .. any.Base.Select(value => value.ToString("0.000", CultureInfo.InvariantCulture))]);
        }

        foreach (SampleGain gain in gains)
        {
            table.Row(gain.Error is null
                ? [gain.Name, .. gain.Gains.Select(Signed)]
                : [gain.Name, "refused", .. fields.Fields.Skip(1).Select(_ => string.Empty)]);
        }

        table.WriteTo(output);
        foreach (SampleGain gain in gains.Where(gain => gain.Error is not null))
        {
            output.Line($"{gain.Name}: {gain.Error!.Message}");
            output.Line();
        }
    }

    private static string Signed(double value) =>
        value == 0.0 ? "0" : value.ToString("+0.000;-0.000;0.000", CultureInfo.InvariantCulture);

    private static void WriteJson(CommandOutput output, SampleGains fields, IReadOnlyList<SampleGain> gains)
    {
        foreach (SampleGain gain in gains)
        {
            if (gain.Error is { } error)
            {
                output.Error(error, gain.Name);
                continue;
            }

            var line = new JsonObject
            {
                ["adapter"] = gain.Name,
                ["baseNatsPerToken"] = Object(fields.Fields, gain.Base),
                ["gainedNatsPerToken"] = Object(fields.Fields, gain.Gains),
            };
            output.Writer.WriteLine(line.ToJsonString());
            output.Writer.Flush();
        }
    }

    private static JsonObject Object(IReadOnlyList<string> names, double[] values) =>
        new(names.Zip(values, (name, value) => KeyValuePair.Create(name, (JsonNode?)JsonValue.Create(value))));
}
