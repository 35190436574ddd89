using System.ComponentModel;
using System.Management.Automation;
using Sway.IO;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>Base of the cmdlets that go through whole texts in windows.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class RollingCommand : WaveCommand
{
    /// <summary>The texts.</summary>
    [Parameter(Position = 0)]
    [AllowEmptyString]
    public string[]? Text { get; set; }

    /// <summary>Text files.</summary>
    [Parameter]
    [SupportsWildcards]
    [EscapeFileSystemItem]
    [ValidateNotNullOrEmpty]
    public string[]? TextPath { get; set; }

    /// <inheritdoc/>
    private protected override bool TextIsGiven => Text is not null || TextPath is not null;

    /// <inheritdoc/>
    private protected override IEnumerable<MeasureItem> GivenItems() => (Text ?? [])
        .Select(text => new MeasureItem(NextNumber().ToString(System.Globalization.CultureInfo.InvariantCulture)) { Text = text })
        .Concat(Files(TextPath ?? []));

    /// <summary>An item's text for windows.</summary>
    private protected RollingText Rolling(MeasureItem item, RollingPreset preset) => item.Ids is { } ids
        ? Encoder.Rolling(ids, preset)
        : Encoder.Rolling(item.Plain ?? item.Text ?? Content(item) ?? throw new PSArgumentException("There is no Text."), preset);

    private static string? Content(MeasureItem item) => item.File is { } file ? TextFile.Read(file) : null;
}
