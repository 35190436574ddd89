using System.Management.Automation;
using Sway.Tokenization;

namespace Sway.PowerShell.Commands;

/// <summary>ConvertTo-Token: text to tokens, exactly as AutoTokenizer gives them.</summary>
[Cmdlet(VerbsData.ConvertTo, "Token", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(Token))]
public sealed class ConvertToTokenCommand : TokenizerCommand
{
    /// <summary>The texts.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [AllowEmptyString]
    public string[] Text { get; set; } = [];

    /// <summary>Leave out the start and end tokens that the tokenizer adds.</summary>
    [Parameter]
    public SwitchParameter NoSpecial { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (string text in Text)
        {
            Encoding encoding;
            try
            {
                encoding = Tokenizer.Encode(text, !NoSpecial);
            }
            catch (TokenizationException exception)
            {
                WriteError(ErrorRecords.Of(exception, ModelPath));
                continue;
            }

            for (int i = 0; i < encoding.Ids.Length; i++)
            {
                (int start, int end) = encoding.ByteSpans[i];
                int id = encoding.Ids[i];
                WriteObject(new Token(i, id, Tokenizer.TokenText(id) ?? "", start, end, encoding.IsInserted[i]));
            }
        }
    }
}
