namespace Sway.Cli.Output;

/// <summary>A line of <c>tokenize</c>.</summary>
/// <param name="Id">The item's own id, when the input gave one.</param>
/// <param name="Ids">The token ids.</param>
/// <param name="Tokens">The tokens as the vocabulary writes them.</param>
/// <param name="ByteOffsets">Start and end in UTF-8 bytes of the text, for each token.</param>
internal sealed record TokenLine(string? Id, int[] Ids, string[] Tokens, int[][] ByteOffsets);

/// <summary>A line of <c>detokenize</c>.</summary>
/// <param name="Id">The item's own id, when the input gave one.</param>
/// <param name="Text">The decoded text.</param>
internal sealed record TextLine(string? Id, string Text);
