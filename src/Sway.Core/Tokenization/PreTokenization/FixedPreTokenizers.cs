using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.PreTokenization;

/// <summary>Pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : IPreTokenizer
{
    public void Apply(PipelineState state)
    {
        ByteLevelPreTokenizer.Materialize(state);
        state.Split((state, piece, pieces) =>
        {
            var start = piece.Start;
            while (start < piece.End)
            {
                var end = start;
                for (var i = 0; i < length && end < piece.End; i++)
                {
                    end += Utf8Text.LengthOf(state.Text.Bytes[end]);
                }

                pieces.Add(Piece.Text(state.Text, start, end));
                start = end;
            }
        });
    }
}

/// <summary>Splits where the script changes, with SentencePiece's view that kana belong to Han and spaces to anything.</summary>
internal sealed class UnicodeScriptsPreTokenizer : IPreTokenizer
{
    private const int AnyScript = -1;

    public void Apply(PipelineState state)
    {
        ByteLevelPreTokenizer.Materialize(state);
        var (han, hiragana, katakana) = (Scripts.NumberOf("Han"), Scripts.NumberOf("Hiragana"), Scripts.NumberOf("Katakana"));
        state.Split((state, piece, pieces) =>
        {
            // The library drops what comes before the first character that has a script.
            var last = int.MinValue;
            var start = -1;
            for (var at = piece.Start; at < piece.End;)
            {
                var codePoint = Utf8Text.Decode(state.Text.Bytes, at, out var length);
                var script = codePoint == ' ' ? AnyScript : codePoint == 0x30FC ? han : Scripts.ScriptOf(codePoint);
                script = script == hiragana || script == katakana ? han : script;
                if (script != AnyScript && script != last)
                {
                    if (start >= 0)
                    {
                        pieces.Add(Piece.Text(state.Text, start, at));
                    }

                    start = at;
                }

                last = script != AnyScript ? script : last;
                at += length;
            }

            if (start >= 0)
            {
                pieces.Add(Piece.Text(state.Text, start, piece.End));
            }
        });
    }
}
