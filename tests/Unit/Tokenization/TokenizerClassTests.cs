using Sway.Tokenization;

namespace Sway.Unit.Tokenization;

/// <summary>Which class of transformers 5 a folder gets, where it changes the ids.</summary>
public sealed class TokenizerClassTests
{
    private const string Digits = """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}""";

    [Theory]

    // These model types have no class of their own: the file's pipeline counts, which splits digits.
    [InlineData("granite", "GPT2Tokenizer", "0 1")]
    [InlineData("granitemoe", "GPT2TokenizerFast", "0 1")]
    [InlineData("olmo2", "GPTNeoXTokenizer", "0 1")]
    [InlineData("gpt_bigcode", "GPT2Tokenizer", "0 1")]
    [InlineData("glm4", "GPT2Tokenizer", "0 1")]

    // The class builds its own pipeline, without digits.
    [InlineData("gpt2", "GPT2Tokenizer", "2")]
    [InlineData("starcoder2", "GPT2TokenizerFast", "2")]
    [InlineData("gpt2", "PreTrainedTokenizerFast", "0 1")]
    public void The_pipeline_is_the_classs_or_the_files(string modelType, string className, string ids) =>
        Encode(modelType, className, Digits, "12").ShouldBe(ids);

    [Theory]

    // A mark that no letter takes in: Qwen2 splits before it, Qwen3.5 after the word.
    [InlineData("qwen3", "Qwen2Tokenizer", "3 4 5")]
    [InlineData("qwen3_5_text", "Qwen3_5Tokenizer", "6 5")]
    [InlineData("qwen3_5", "Qwen3_5TokenizerFast", "6 5")]
    public void Marks_stay_with_letters_in_newer_Qwen(string modelType, string className, string ids) =>
        Encode(modelType, className, Digits, "q\u0301").ShouldBe(ids);

    private static string Encode(string modelType, string className, string preTokenizer, string text)
    {
        var folder = Directory.CreateTempSubdirectory("sway-class");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "config.json"), $$"""{"model_type":"{{modelType}}"}""");
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), $$"""{"tokenizer_class":"{{className}}"}""");
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"), $$$"""
                {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{{{preTokenizer}}},
                "post_processor":null,"decoder":null,"model":{"type":"BPE","vocab":{"1":0,"2":1,"12":2,"q":3,"Ì":4,"ģ":5,"qÌ":6},
                "merges":["1 2","q Ì"]}}
                """);
            return string.Join(' ', Tokenizer.Load(folder.FullName).Encode(text, false).Ids);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
