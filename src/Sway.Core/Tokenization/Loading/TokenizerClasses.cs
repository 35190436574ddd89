using System.Text.Json;
using Sway.Tokenization.Patterns;

namespace Sway.Tokenization.Loading;

/// <summary>
/// What the tokenizer classes of transformers 5.23 do to a tokenizer.json: some use its pipeline as it is, others build their
/// own around its vocabulary, and then the file's normalizer, pre-tokenizer, decoder and model settings do not count.
/// </summary>
internal static class TokenizerClasses
{
    private const string Bpe = """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""";
    private const string EmptyTemplate = """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}""";

    // Model types registered without a class of their own: whatever the folder declares, the file's pipeline counts.
    private static readonly HashSet<string> s_asFiled = new(StringComparer.Ordinal)
    {
        "bloom", "glm", "glm4", "glm4_moe", "glm4_moe_lite", "glm4v", "glm4v_moe", "gpt_bigcode", "granite", "granitemoe", "granitemoehybrid",
        "granitemoeshared", "ministral", "ministral3", "mistral", "mistral3", "mixtral", "olmo2", "pixtral", "voxtral",
    };

    // Model types whose repositories declare a wrong class; the registered class counts instead.
    private static readonly HashSet<string> s_wrongClass = new(StringComparer.Ordinal)
    {
        "arctic", "chameleon", "chatlm", "deepseek_v2", "deepseek_v3", "deepseek_v4", "deepseek_vl", "deepseek_vl_hybrid", "deepseek_vl_v2",
        "fuyu", "h2ovl_chat", "hyperclovax_vlm", "internlm2", "internvl_chat", "jamba", "janus", "kimi_k25", "llava", "llava_next",
        "minicpmv", "minimax_m2", "modernbert", "molmo", "molmo2", "nemotron", "nvfp4", "opencua", "openvla", "phi3", "phi3_v",
        "phimoe", "qwen2", "step3p5", "vipllava",
    };

    private static readonly Dictionary<string, string> s_registered = new(StringComparer.Ordinal)
    {
        ["bert"] = "BertTokenizer", ["code_llama"] = "CodeLlamaTokenizer", ["codegen"] = "GPT2Tokenizer", ["cohere"] = "CohereTokenizer",
        ["cohere2"] = "CohereTokenizer", ["dbrx"] = "GPT2Tokenizer", ["distilbert"] = "BertTokenizer", ["exaone4"] = "GPT2Tokenizer",
        ["falcon_mamba"] = "GPTNeoXTokenizer", ["flex_olmo"] = "GPT2Tokenizer", ["gemma"] = "GemmaTokenizer", ["gemma2"] = "GemmaTokenizer",
        ["gemma3"] = "GemmaTokenizer", ["gemma3_text"] = "GemmaTokenizer", ["gemma3n"] = "GemmaTokenizer", ["gemma3n_text"] = "GemmaTokenizer",
        ["gpt2"] = "GPT2Tokenizer", ["gpt_neo"] = "GPT2Tokenizer", ["gpt_neox"] = "GPTNeoXTokenizer",
        ["gptj"] = "GPT2Tokenizer", ["jais2"] = "GPT2Tokenizer", ["mamba"] = "GPTNeoXTokenizer", ["mamba2"] = "GPTNeoXTokenizer",
        ["mpt"] = "GPTNeoXTokenizer", ["mt5"] = "T5Tokenizer", ["olmo"] = "GPTNeoXTokenizer",
        ["olmo3"] = "GPT2Tokenizer", ["olmoe"] = "GPTNeoXTokenizer", ["opt"] = "GPT2Tokenizer", ["phi"] = "GPT2Tokenizer",
        ["qwen2"] = "Qwen2Tokenizer", ["qwen2_5_omni"] = "Qwen2Tokenizer", ["qwen2_5_vl"] = "Qwen2Tokenizer", ["qwen2_moe"] = "Qwen2Tokenizer",
        ["qwen2_vl"] = "Qwen2Tokenizer", ["qwen3"] = "Qwen2Tokenizer", ["qwen3_5"] = "Qwen3_5Tokenizer",
        ["qwen3_5_moe"] = "Qwen3_5Tokenizer", ["qwen3_moe"] = "Qwen2Tokenizer", ["qwen3_next"] = "Qwen2Tokenizer",
        ["qwen3_vl"] = "Qwen2Tokenizer", ["qwen3_vl_moe"] = "Qwen2Tokenizer", ["recurrent_gemma"] = "GemmaTokenizer",
        ["rwkv"] = "GPTNeoXTokenizer", ["stablelm"] = "GPTNeoXTokenizer", ["starcoder2"] = "GPT2Tokenizer", ["t5"] = "T5Tokenizer",
        ["t5gemma"] = "GemmaTokenizer", ["umt5"] = "T5Tokenizer",
    };

    private static readonly Dictionary<string, Dictionary<string, string?>> s_defaultTokens = new(StringComparer.Ordinal)
    {
        ["LlamaTokenizer"] = new(StringComparer.Ordinal) { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["unk_token"] = "<unk>" },
        ["CodeLlamaTokenizer"] = new(StringComparer.Ordinal) { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["unk_token"] = "<unk>" },
        ["GemmaTokenizer"] = new(StringComparer.Ordinal)
        {
            ["bos_token"] = "<bos>", ["eos_token"] = "<eos>", ["unk_token"] = "<unk>", ["pad_token"] = "<pad>", ["mask_token"] = "<mask>",
        },
        ["GPT2Tokenizer"] = new(StringComparer.Ordinal)
        {
            ["bos_token"] = "<|endoftext|>", ["eos_token"] = "<|endoftext|>", ["unk_token"] = "<|endoftext|>",
        },
        ["Qwen2Tokenizer"] = new(StringComparer.Ordinal)
        {
            ["eos_token"] = "<|endoftext|>", ["unk_token"] = "<|endoftext|>", ["pad_token"] = "<|endoftext|>",
        },
        ["Qwen3_5Tokenizer"] = new(StringComparer.Ordinal)
        {
            ["eos_token"] = "<|endoftext|>", ["unk_token"] = "<|endoftext|>", ["pad_token"] = "<|endoftext|>",
        },
        ["GPTNeoXTokenizer"] = new(StringComparer.Ordinal)
        {
            ["bos_token"] = "<|endoftext|>", ["eos_token"] = "<|endoftext|>", ["unk_token"] = "<|endoftext|>", ["pad_token"] = "<|padding|>",
        },
        ["T5Tokenizer"] = new(StringComparer.Ordinal) { ["eos_token"] = "</s>", ["unk_token"] = "<unk>", ["pad_token"] = "<pad>" },
        ["BertTokenizer"] = new(StringComparer.Ordinal)
        {
            ["unk_token"] = "[UNK]", ["sep_token"] = "[SEP]", ["pad_token"] = "[PAD]", ["cls_token"] = "[CLS]", ["mask_token"] = "[MASK]",
        },
        ["CohereTokenizer"] = new(StringComparer.Ordinal)
        {
            ["bos_token"] = "<BOS_TOKEN>", ["eos_token"] = "<|END_OF_TURN_TOKEN|>", ["unk_token"] = "<UNK>", ["pad_token"] = "<PAD>",
            ["cls_token"] = "<CLS>", ["sep_token"] = "<SEP>", ["mask_token"] = "<MASK_TOKEN>",
        },
    };

    /// <summary>The class that rebuilds the pipeline, or null when the file's own pipeline is used.</summary>
    public static string? Resolve(TokenizerFolder folder, TokenizerFile file)
    {
        var declared = folder.DeclaredClass;
        var name = declared is not null && declared.EndsWith("Fast", StringComparison.Ordinal) ? declared[..^4] : declared;
        var type = folder.ModelType ?? "";
        var registered = s_registered.GetValueOrDefault(type);
        if (s_asFiled.Contains(type))
        {
            return null;
        }

        if (s_wrongClass.Contains(type))
        {
            return registered;
        }

        if (string.Equals(name, "LlamaTokenizer", StringComparison.Ordinal) && file.MentionsByteLevel)
        {
            return null;
        }

        var chosen = declared is null ? registered : name;
        return chosen is not null && s_defaultTokens.ContainsKey(chosen) ? chosen : null;
    }

    public static IReadOnlyDictionary<string, string?> DefaultTokens(string? className) =>
        className is null ? new Dictionary<string, string?>(StringComparer.Ordinal) : s_defaultTokens[className];

    /// <summary>Tokens that a class adds of its own accord, after all others.</summary>
    public static IEnumerable<AddedToken> ExtraTokens(string? className) =>
        string.Equals(className, "CodeLlamaTokenizer", StringComparison.Ordinal)
            ? new[] { "▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>", "<FILL_ME>" }.Select(t => new AddedToken(t) { Special = true })
            : [];

    /// <summary>Replaces the sections of the file that the class builds itself.</summary>
    public static void Rebuild(string className, TokenizerFolder folder, TokenizerFile file)
    {
        var prefix = folder.Flag("add_prefix_space");
        switch (className)
        {
            case "LlamaTokenizer":
                var scheme = folder.Flag("legacy") == true ? "always" : "first";
                Metaspaced(file, prefix == false ? "never" : scheme, strips: prefix != false);
                SetBpe(file.Model, fuse: true, fallback: true);
                file.Model.Override("unk_token", "null");
                break;
            case "CodeLlamaTokenizer":
                Metaspaced(file, prefix == false ? "never" : "first", strips: true);
                var unknown = file.Model.Text("unk_token");
                SetBpe(file.Model, fuse: true, fallback: true);
                file.Model.Override("unk_token", Quote(folder.NamedToken("unk_token") ?? unknown ?? "<unk>"));
                break;
            case "GemmaTokenizer":
                file.Normalizer = Json("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""");
                file.PreTokenizer = Json("""{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""");
                file.Decoder = Json(SpaceDecoder(strips: false));
                SetBpe(file.Model, fuse: true, fallback: true);
                file.Model.Override("unk_token", Quote(folder.NamedToken("unk_token") ?? "<unk>"));
                break;
            case "Qwen2Tokenizer":
            case "Qwen3_5Tokenizer":
                var split = string.Equals(className, "Qwen2Tokenizer", StringComparison.Ordinal) ? KnownPatterns.Qwen2 : KnownPatterns.Qwen35;
                file.Normalizer = Json("""{"type":"NFC"}""");
                file.PreTokenizer = Json(
                    $$"""{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{Quote(split)}}},"behavior":"Isolated","invert":false},{{ByteLevel(prefix ?? false, false)}}]}""");
                file.Decoder = Json(Bpe);
                SetBpe(file.Model, fuse: false, fallback: false);
                file.Model.Override("unk_token", "null");
                break;
            case "GPT2Tokenizer":
            case "GPTNeoXTokenizer":
                var neox = string.Equals(className, "GPTNeoXTokenizer", StringComparison.Ordinal);
                file.Normalizer = neox ? Json("""{"type":"NFC"}""") : null;
                file.PreTokenizer = Json(ByteLevel(prefix ?? false, true));
                file.Decoder = Json(Bpe);
                file.PostProcessor = neox ? Json(EmptyTemplate) : file.PostProcessor;
                SetBpe(file.Model, fuse: false, fallback: false);
                file.Model.Override("unk_token", "null");
                break;
            case "CohereTokenizer":
                file.Normalizer = Json("""{"type":"NFC"}""");
                file.PreTokenizer = Json(
                    $$"""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{{ByteLevel(prefix ?? false, true)}}]}""");
                file.Decoder = Json(Bpe);
                SetBpe(file.Model, fuse: false, fallback: false);
                file.Model.Override("unk_token", "null");
                break;
            case "T5Tokenizer":
                file.Normalizer = FindPrecompiled(file.Normalizer);
                file.PreTokenizer = Json(
                    """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}]}""");
                file.Decoder = Json("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""");
                file.PostProcessor = Around(file, [], [folder.NamedToken("eos_token") ?? "</s>"]);
                file.Model.Override("byte_fallback", "false");
                break;
            default:
                RebuildBert(folder, file);
                break;
        }
    }

    private static void RebuildBert(TokenizerFolder folder, TokenizerFile file)
    {
        var accents = folder.Flag("strip_accents") is { } strip ? strip ? "true" : "false" : "null";
        file.Normalizer = Json(
            $$"""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":{{Bool(folder.Flag("tokenize_chinese_chars") ?? true)}},"strip_accents":{{accents}},"lowercase":{{Bool(folder.Flag("do_lower_case") ?? true)}}}""");
        file.PreTokenizer = Json("""{"type":"BertPreTokenizer"}""");
        file.Decoder = Json("""{"type":"WordPiece","prefix":"##","cleanup":true}""");
        file.PostProcessor = Around(
            file, [folder.NamedToken("cls_token") ?? "[CLS]"], [folder.NamedToken("sep_token") ?? "[SEP]"]);
        file.Model.Override("unk_token", Quote(folder.NamedToken("unk_token") ?? "[UNK]"));
        file.Model.Override("continuing_subword_prefix", "\"##\"");
        file.Model.Override("max_input_chars_per_word", "100");
    }

    private static void Metaspaced(TokenizerFile file, string scheme, bool strips)
    {
        file.Normalizer = null;
        file.PreTokenizer = Json($$"""{"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":false}""");
        file.Decoder = Json(SpaceDecoder(strips));
    }

    private static void SetBpe(ModelSection model, bool fuse, bool fallback)
    {
        model.Override("fuse_unk", Bool(fuse));
        model.Override("byte_fallback", Bool(fallback));
        model.Override("ignore_merges", "false");
        model.Override("continuing_subword_prefix", "null");
        model.Override("end_of_word_suffix", "null");
    }

    private static JsonElement? FindPrecompiled(JsonElement? normalizer)
    {
        if (JsonFields.IsNull(normalizer))
        {
            return null;
        }

        var type = normalizer!.Value.OptionalString("type");
        return type switch
        {
            "Precompiled" => normalizer,
            "Sequence" => normalizer.Value.Items("normalizers").Select(n => FindPrecompiled(n)).FirstOrDefault(n => n is not null),
            _ => null,
        };
    }

    /// <summary>A template around the text, when the vocabulary or the added tokens know its tokens.</summary>
    private static JsonElement? Around(TokenizerFile file, string[] before, string[] after)
    {
        int? IdOf(string token) =>
            file.Model.Vocabulary is { } vocabulary && vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes(token), out var id) ? id : null;

        if (before.Concat(after).Any(t => IdOf(t) is null))
        {
            return file.PostProcessor;
        }

        string Piece(string token) => $$$"""{"SpecialToken":{"id":{{{Quote(token)}}},"type_id":0}}""";
        var parts = before.Select(Piece).Append("""{"Sequence":{"id":"A","type_id":0}}""").Concat(after.Select(Piece));
        var tokens = before.Concat(after).Distinct(StringComparer.Ordinal)
            .Select(t => $$"""{{Quote(t)}}:{"id":{{Quote(t)}},"ids":[{{IdOf(t)}}],"tokens":[{{Quote(t)}}]}""");
        return Json("""{"type":"TemplateProcessing","pair":[],"single":[""" + string.Join(',', parts)
            + """],"special_tokens":{""" + string.Join(',', tokens) + "}}");
    }

    private static string SpaceDecoder(bool strips) =>
        """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}"""
        + (strips ? """,{"type":"Strip","content":" ","start":1,"stop":0}]}""" : "]}");

    private static string ByteLevel(bool prefix, bool regex) =>
        $$"""{"type":"ByteLevel","add_prefix_space":{{Bool(prefix)}},"trim_offsets":true,"use_regex":{{Bool(regex)}}}""";

    private static string Bool(bool value) => value ? "true" : "false";

    private static string Quote(string text) => JsonSerializer.Serialize(text);

    private static JsonElement Json(string json) => JsonFields.Parse(json);
}
