namespace Sway.Tokenization.Models;

/// <summary>The part of a tokenizer that turns a piece of text into tokens of a vocabulary.</summary>
internal interface IModel
{
    /// <summary>The tokens this model can give.</summary>
    Vocabulary Vocabulary { get; }

    /// <summary>True for BPE, for which transformers never cleans up spaces when decoding.</summary>
    bool IsBpe { get; }

    /// <summary>True when the model itself reads raw bytes as characters of the byte alphabet.</summary>
    bool AcceptsByteLevel { get; }

    /// <summary>Appends the tokens of the state's piece to its sink.</summary>
    void Tokenize(PipelineState state, Piece piece);

    /// <summary>The text that the library shows for a token of a piece, when that is not the vocabulary's (Unigram's unknowns).</summary>
    bool ShowsPieceText(int id);
}
