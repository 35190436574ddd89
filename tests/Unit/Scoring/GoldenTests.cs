namespace Sway.Unit.Scoring;

public sealed class GoldenTests
{
    public static TheoryData<string, string, string> Views
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (var model in Golden.Models)
            {
                data.Add(model, "base", "adapters");
                foreach (var kind in (string[])["adapters", "mlx-adapters"])
                {
                    var folder = Path.Combine(Golden.Folder(model), kind);
                    if (Directory.Exists(folder))
                    {
                        foreach (var view in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
                        {
                            data.Add(model, Path.GetFileName(view), kind);
                        }
                    }
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Views))]
    public void Scores_equal_those_of_transformers_in_float64(string model, string view, string kind) =>
        Golden.Error(model, view, kind).ShouldBeLessThan(Golden.Tolerance(model, view));
}
