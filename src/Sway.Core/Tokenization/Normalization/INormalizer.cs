namespace Sway.Tokenization.Normalization;

/// <summary>A step that rewrites text before it is split; the alignment to the original goes along.</summary>
internal interface INormalizer
{
    /// <summary>True when the step surely leaves these bytes as they are.</summary>
    bool Leaves(ReadOnlySpan<byte> text) => false;

    /// <summary>Appends the new form of <paramref name="source"/> to the empty <paramref name="target"/>.</summary>
    void Normalize(AlignedText source, AlignedText target);
}

/// <summary>Steps one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<INormalizer> steps) : INormalizer
{
    public bool Leaves(ReadOnlySpan<byte> text)
    {
        foreach (var step in steps)
        {
            if (!step.Leaves(text))
            {
                return false;
            }
        }

        return true;
    }

    public void Normalize(AlignedText source, AlignedText target)
    {
        var current = source;
        for (var i = 0; i < steps.Count; i++)
        {
            var next = new AlignedText();
            next.Clear();
            steps[i].Normalize(current, next);
            current = next;
        }

        target.AppendRange(current, 0, current.Length);
    }
}
