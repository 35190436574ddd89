namespace Sway.Scoring;

/// <summary>How many leading tokens all sequences of a wave share and may run once.</summary>
/// <param name="Shared">Number of tokens.</param>
/// <param name="SequenceLength">The longest sequence, which the prefix runs for.</param>
internal sealed record PrefixPlan(int Shared, int SequenceLength)
{
    private static readonly PrefixPlan s_none = new(0, 0);

    /// <summary>
    /// The plan for a wave. The first scored token of every sequence is predicted by a token after the prefix, so each keeps at least
    /// one token of its own.
    /// </summary>
    public static PrefixPlan Make(IReadOnlyList<TokenSequence> wave, bool wanted)
    {
        if (!wanted || wave.Count < 2)
        {
            return s_none;
        }

        var first = wave[0].Ids;
        var shared = wave.Min(sequence => sequence.FirstScored - 1);
        foreach (var sequence in wave)
        {
            var i = 0;
            while (i < shared && sequence.Ids[i] == first[i])
            {
                i++;
            }

            shared = i;
        }

        // A few shared tokens (a start token) are not worth a pass of their own.
        return shared < 8 ? s_none : new PrefixPlan(shared, wave.Max(sequence => sequence.Ids.Count));
    }
}
