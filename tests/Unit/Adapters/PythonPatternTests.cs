using Sway.Adapters.Peft;

namespace Sway.Unit.Adapters;

/// <summary>What Python's re says of each pattern was asked of Python.</summary>
public sealed class PythonPatternTests
{
    private const string Path = "model.layers.12.self_attn.q_proj";

    [Theory]
    [InlineData("q_proj", true)]
    [InlineData("proj", false)]
    [InlineData(@"layers\.1\.self_attn\.q_proj", false)]
    [InlineData(@"layers\.\d{,2}\.self_attn\.q_proj", true)]
    [InlineData(@"layers\.\d{,1}\.self_attn\.q_proj", false)]
    [InlineData(@"layers\.\d{,}\.self_attn\.q_proj", true)]
    [InlineData(@"layers\.12{,1,2}\.self_attn\.q_proj", false)]
    [InlineData("(?i)Q_PROJ", true)]
    [InlineData("Q_PROJ", false)]
    [InlineData("(?i:Q)_proj", true)]
    [InlineData("(?i:Q)_PROJ", false)]
    [InlineData("(?i:Q(?-i:_proj))", true)]
    [InlineData("(?i:Q(?-i:_PROJ))", false)]
    [InlineData("(?s-i:q_.roj)", true)]
    [InlineData("(?im:^Q_PROJ$)", false)]
    [InlineData("(?i:[P-R])_proj", true)]
    [InlineData("(?i:[^Q])_proj", false)]
    [InlineData("(?P<kind>[qk])_proj", true)]
    [InlineData(@"self_(?P<twice>at)(?:t)n\.q_proj|(?P=none)", null)]
    [InlineData(@"(?P<l>l)ayers\.12\.se(?P=l)f_attn\.q_proj", true)]
    [InlineData(@"se(l)f_a(t)\4n\.q_proj", true)]
    [InlineData("[]q]_proj", true)]
    [InlineData(@"q_proj\Z", true)]
    [InlineData(@"q_(?=proj)\w+", true)]
    [InlineData("q_(?!proj)k", false)]
    [InlineData("(?<=self_attn.)q_proj", true)]
    public void Matches_the_end_of_a_path_as_Python_does(string key, bool? expected)
    {
        if (expected is null)
        {
            Should.Throw<ArgumentException>(() => new PythonPattern(key));
            return;
        }

        new PythonPattern(key).Matches(Path).ShouldBe(expected.Value);
    }

    [Theory]
    [InlineData(@".*\.q_proj", true)]
    [InlineData("q_proj", false)]
    [InlineData(@"(?i).*SELF_ATTN\.Q_PROJ", true)]
    [InlineData(@"(?is).*SELF_ATTN\.Q_PROJ", true)]
    [InlineData("model|model.*", true)]
    public void Matches_a_whole_path_as_fullmatch_does(string key, bool expected) =>
        new PythonPattern(key, whole: true).Matches(Path).ShouldBe(expected);

    /// <summary>Python refuses most of these, too; where it does not, .NET means something else.</summary>
    [Theory]
    [InlineData("q(?i)_proj")]
    [InlineData("(?-i)q_proj")]
    [InlineData("(?x: q_proj )")]
    [InlineData("(?a:q_proj)")]
    [InlineData("(?L:q_proj)")]
    [InlineData("(?n:q_proj)")]
    [InlineData("(?i-:q_proj)")]
    [InlineData("(?)q_proj")]
    [InlineData("(?i")]
    [InlineData("(?:(?i)q_proj)")]
    [InlineData("(?<kind>q)_proj")]
    [InlineData("(?'kind'q)_proj")]
    [InlineData("(?P<1>q)_proj")]
    [InlineData(@"(?P<kind>q)(_)\3proj")]
    [InlineData("[a-z-[k]]_proj")]
    [InlineData(@"\p{L}_proj")]
    [InlineData(@"q_proj\z")]
    [InlineData(@"\Gq_proj")]
    [InlineData(@"\cA|q_proj")]
    [InlineData(@"\e|q_proj")]
    [InlineData("(?i:\u212A)_proj")]
    [InlineData(@"(?i)\u212A_proj")]
    [InlineData("q_proj\\")]
    [InlineData("[q_proj")]
    [InlineData("(q_proj")]
    public void Refuses_what_is_not_read_alike(string key) => Should.Throw<ArgumentException>(() => new PythonPattern(key));
}
