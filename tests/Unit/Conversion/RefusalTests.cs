using System.Text.RegularExpressions;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>Every refusal says what to do, and docs/formats.md says it of every category.</summary>
public sealed partial class RefusalTests
{
    public static TheoryData<RefusalCategory> Categories => [.. Enum.GetValues<RefusalCategory>()];

    [Theory]
    [MemberData(nameof(Categories))]
    public void Every_category_has_a_meaning_and_a_remedy(RefusalCategory category)
    {
        RefusalExplanation explanation = RefusalCatalog.Explain(category);
        explanation.Meaning.ShouldEndWith(".");
        explanation.Remedy.ShouldEndWith(".");
        new Refusal(category, "something").Remedy.ShouldBe(explanation.Remedy);
        new Refusal(category, "something") { Remedy = "Do that." }.Remedy.ShouldBe("Do that.");
    }

    [Fact]
    public void The_page_of_the_formats_lists_every_category_as_it_is()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "formats.md")).ReplaceLineEndings("\n");
        string[] rows = [.. Row().Matches(page).Select(match => match.Value.TrimEnd())];
        string[] expected = [.. Enum.GetValues<RefusalCategory>().Select(category =>
            $"| `{category}` | {RefusalCatalog.Explain(category).Meaning} | {RefusalCatalog.Explain(category).Remedy} | {(LossCategories.CanBeAllowed(category) ? "yes" : "no")} |")];
        rows.ShouldBe(expected);
    }

    [Fact]
    public void A_remedy_that_serves_several_reasons_is_told_once()
    {
        var refused = new ConversionRefusedException("x", [new Refusal(RefusalCategory.NeedsBase, "One."), new Refusal(RefusalCategory.NeedsBase, "Two.")]);
        Regex.Count(refused.Message, "Remedy:").ShouldBe(1);
        refused.Remedy.ShouldBe(RefusalCatalog.Explain(RefusalCategory.NeedsBase).Remedy);
    }

    [Fact]
    public void Every_kind_of_error_has_a_remedy()
    {
        SwayException[] errors =
        [
            new AdapterFormatException("x"), new UnsupportedModelException("x"), new TokenizationException("x"), new NativeLibraryException("x"),
            new ScoringException("x"), new OutputException(OutputErrorKind.Exists, "x"), new OutputException(OutputErrorKind.IsSource, "x"),
        ];
        errors.ShouldAllBe(error => error.Remedy.Length > 0);
    }

    [GeneratedRegex(@"^\| `[A-Za-z]+` \|.*$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
