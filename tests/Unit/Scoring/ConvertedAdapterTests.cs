using Sway.Adapters;
using Sway.Conversion;
using Sway.Scoring;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

public sealed class ConvertedAdapterTests
{
    public static TheoryData<string, string> PeftAdapters
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string model in Golden.Models)
            {
                string folder = Path.Combine(Golden.Folder(model), "adapters");
                foreach (string view in Directory.Exists(folder) ? Directory.GetDirectories(folder).Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
                {
                    data.Add(model, Path.GetFileName(view));
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(PeftAdapters))]
    public void An_adapter_in_mlx_lms_form_scores_as_its_source(string model, string view)
    {
        using var folder = new TemporaryFolder();
        string source = Path.Combine(Golden.Folder(model), "adapters", view);
        string converted = folder.File("converted");
        try
        {
            AdapterConverter.Convert(source, converted, new ConversionOptions { BaseModel = Golden.Folder(model) });
        }
        catch (ConversionRefusedException refused)
        {
            Assert.Skip(refused.Message);
        }

        TokenSequence[] sequences = [.. Golden.Read(model).GetProperty("sequences").EnumerateArray()
            .Select(Golden.Ints).Where(ids => ids.Length > 1).Select(ids => new TokenSequence(ids, 1))];
        using var before = ScoringSession.Open(Golden.Folder(model), source);
        using var after = ScoringSession.Open(Golden.Folder(model), converted);
        foreach ((SequenceScore a, SequenceScore b) in after.Score(sequences).Zip(before.Score(sequences)))
        {
            Golden.Worst(a.Adapted!.LogProbs, b.Adapted!.LogProbs).ShouldBeLessThan(Math.Max(1e-4, Golden.Tolerance(model, view)));
        }
    }
}
