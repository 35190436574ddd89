namespace Sway.Tokenization;

/// <summary>
/// A part of the text on its way through the pipeline: a range of the current <see cref="AlignedText"/>, or (with
/// <c>TokenId</c> &gt;= 0) an added token that is already cut out and only keeps its original bytes.
/// </summary>
internal readonly record struct Piece(int Start, int End, int TokenId, int OriginStart, int OriginEnd)
{
    public bool IsToken => TokenId >= 0;

    public static Piece Text(AlignedText text, int start, int end) =>
        new(start, end, -1, start < end ? text.OriginStart(start) : 0, 0);
}
