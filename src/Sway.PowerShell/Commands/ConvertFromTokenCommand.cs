using System.Management.Automation;

namespace Sway.PowerShell.Commands;

/// <summary>ConvertFrom-Token: token ids to one text.</summary>
[Cmdlet(VerbsData.ConvertFrom, "Token", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(string))]
public sealed class ConvertFromTokenCommand : TokenizerCommand
{
    private readonly List<int> _ids = [];

    /// <summary>The token ids, or objects with a property of that name; all of a pipeline make one text.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [AllowEmptyCollection]
    public int[] Id { get; set; } = [];

    /// <summary>Leave out special tokens.</summary>
    [Parameter]
    public SwitchParameter SkipSpecial { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _ids.AddRange(Id);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        int[] unknown = [.. _ids.Where(id => Tokenizer.TokenText(id) is null).Distinct()];
        if (unknown.Length > 0)
        {
            string more = unknown.Length > 10 ? ", ..." : "";
            WriteWarning($"The vocabulary has no token {string.Join(", ", unknown.Take(10))}{more}; the text goes on without it.");
        }

        WriteObject(Tokenizer.Decode(_ids.ToArray(), SkipSpecial));
    }
}
