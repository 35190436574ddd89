namespace Sway.PowerShell;

/// <summary>One token of a text.</summary>
/// <param name="Index">Its place among the text's tokens, from 0.</param>
/// <param name="Id">Its id.</param>
/// <param name="Text">The token as the vocabulary writes it.</param>
/// <param name="Start">The first of its UTF-8 bytes in the text.</param>
/// <param name="End">The byte after its last one.</param>
/// <param name="IsInserted">True when the tokenizer put it in, as it does with start and end tokens.</param>
public sealed record Token(int Index, int Id, string Text, int Start, int End, bool IsInserted);
