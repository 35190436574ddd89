using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

/// <summary>The same numbers, to the last bit, whatever vectors the processor has.</summary>
public sealed class ProcessorTests
{
    [Theory]
    [InlineData("bible", "DOTNET_EnableAVX512=0")]
    [InlineData("bible", "DOTNET_EnableAVX2=0")]
    [InlineData("law", "DOTNET_EnableHWIntrinsic=0")]
    public void Scores_do_not_depend_on_the_width_of_vectors(string adapter, string without)
    {
        using var cache = new TemporaryFolder();
        string[] arguments =
        [
            "score", "--model", Repository.Sample("base"), "--adapter", Repository.Sample("adapters", adapter),
            "--input", Repository.Sample("prompts.jsonl"), "--json", "--no-cache",
        ];
        (int code, string own, string error) = SwayProcess.RunWith(cache.Path, null, arguments);
        code.ShouldBe(0, error);
        own.ShouldContain("tokenLogProbs");
        (code, string narrow, error) = SwayProcess.RunWith(cache.Path, without, arguments);
        code.ShouldBe(0, error);
        narrow.ShouldBe(own);
    }
}
