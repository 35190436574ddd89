namespace Sway.Tokenization.PreTokenization;

/// <summary>A step that splits the pieces of a text further, and may rewrite them.</summary>
internal interface IPreTokenizer
{
    void Apply(PipelineState state);
}

/// <summary>Steps one after the other.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<IPreTokenizer> steps) : IPreTokenizer
{
    public void Apply(PipelineState state)
    {
        foreach (var step in steps)
        {
            step.Apply(state);
        }
    }
}
