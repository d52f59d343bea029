"""English: the Attention tab."""

TEXTS = {
    "attention": "Attention",
    "attention_waiting": "The first map is being made …",
    "attention_none_yet": "No map yet",
    "attention_none": "No new map",
    "attention_ready": "This method runs the model many times. Press the button to start; you can stop it.",
    "attention_running": "{title}: {share}",
    "attention_stopped": "Stopped; the last map stays.",
    "attention_bare_alt": "The picture without a map",
    "shared_scale": "One scale for all tiles (square root)",
    "strongest": "Strongest in row {row}, column {col}, counted from 0, with {value}.",
    "legend": "least {least}, most {most}, on a grid of {rows} × {cols}",
    "click_to_raw": "A click leaves {title} and shows raw attention.",
    # below the map
    "looks": "Look further",
    "look_tiles": "Every layer and head",
    "look_atlas": "Head atlas",
    "look_alike": "Alike layers",
    "look_bias": "Learned bias",
    "more_bias": (
        "What a place adds to a place that far below and to its right, learned for each head; no offset is in the "
        "middle. Each tile has its own scale. The table says what share of the spread of each head’s logits it decides."
    ),
    "bias_alt": "The learned bias of every head by offset, one layer at a time",
    "bias_share": "Share that the bias decides, head by head",
    "look_life": "Life of a query",
    "look_trust": "Can it be trusted?",
    "more_tiles": (
        "Raw attention from the same place. Press ▶ to go through the layers; click a tile to see that head large."
    ),
    "more_atlas": (
        "Every dot is a head: how far it looks, on this one picture. Colour is its entropy: dark looks at few places, "
        "light at all alike. The strip below, where there is one, is the share that goes to tokens without a place, "
        "such as a class token. Click a dot to see its map. The button takes every head out once; dots then grow "
        "with what p(class) loses or gains."
    ),
    "more_alike": (
        "How alike any two layers are, 1 for the same. Attention that grows alike from layer to layer has collapsed; "
        "attention is never negative, which alone makes it look alike, so the second table takes that out."
    ),
    "look_queries": "Queries among each other",
    "more_queries": (
        "A row is an object query that looks, a column one that is looked at, the surest first: so the model keeps two "
        "queries from answering the same object. Press ▶ to go through the layers; click a row to see that query’s map."
    ),
    "queries_rows": "looks",
    "queries_columns": "is looked at",
    "queries_alt": "Attention among {count} object queries, one decoder layer at a time; the field Object chooses one",
    "look_slots": "Slots",
    "more_slots": (
        "Every object query has one box here: a dot in its middle, the larger the surer, and a line to the middle of "
        "what its last layer looks at. Green is small, orange wide, blue tall. One picture shows where each query "
        "answers now; the slot map shows what it prefers over many. Queries are counted from 0. Click a dot to see "
        "its map."
    ),
    "slots_counts": "{small} small, {wide} wide, {tall} tall boxes.",
    "slots_alt": "{count} object queries on the picture: where each answers and looks; the field Object chooses one",
    "look_preferred": "Slot map",
    "more_preferred": (
        "Every tile is an object query and stands for the whole picture; every dot is the middle of what the query "
        "answered for one of many pictures. Green is small, orange wide, blue tall. A query whose dots keep together "
        "has made a place its own. A tile says which query it is, counted from 0, and where there is room "
        "its mean score. Click a dot to see that query’s map of this picture."
    ),
    "preferred_tile": "{query} · {share}",
    "preferred_alt": "{count} object queries: where each answered over many pictures; the field Object chooses one",
    "preferred_about": "{pictures} pictures a query: {data}; {date}. Made by",
    "preferred_none": "This model has no slot map yet. To make it, with a folder of pictures:",
    "preferred_other": "The slot map that is kept is of another number of object queries; make it again:",
    "preferred_command": "python -m playground slots --model {model} --data FOLDER",
    "look_mask": "Mask attention",
    "more_mask": (
        "Where each query that names something looks to draw its mask, one tile a head. All tiles of a query "
        "share one sum of 1. The slider goes through the queries."
    ),
    "mask_none": "No query of this picture is sure enough to draw a mask.",
    "mask_alt": "Maps of all heads of the mask head, one query at a time, for {count} queries",
    "look_depth": "Layer by layer",
    "more_depth": (
        "What the model’s head would answer, were the model to stop after this layer: the logit lens on the whole "
        "picture. The last row is the answer. Early layers know more than it shows: the head was trained on the last."
    ),
    "depth_layer": "After",
    "depth_label": "Best class",
    "depth_score": "Score",
    "depth_title": "p(class)",
    "depth_axis": "level",
    "depth_alt": "Probability of {label} and other classes after each layer",
    "look_terms": "Position terms",
    "more_terms": (
        "What one block attends, and what it would attend by one term of its logits alone: content q · k, query with "
        "position q · r, key with position k · r. Tiles are heads, both steps composed; the slider goes through the "
        "terms. The table says what share of the spread of the logits each term brings."
    ),
    "terms_all": "all terms",
    "terms_alone": "{term} alone",
    "terms_head": "Head",
    "terms_column": "Column, {term}",
    "terms_row": "Row, {term}",
    "terms_alt": "Maps of all heads of {layer}, of all terms and of each term alone",
    "tiles_axis_both": (
        "Columns attend first (height), then rows (width). A tile composes the two steps of one head exactly; in the "
        "model the row step reads all heads of the column step together."
    ),
    "tiles_axis_column": "Each tile is the column step of one head alone, the first of the two.",
    "tiles_axis_row": "Each tile is the row step of one head alone, the second of the two.",
    "look_artefacts": "Outlier tokens",
    "more_artefacts": (
        "The length of all patch tokens after each level, before the final norm. Tokens far above the rest are used by "
        "the model as scratch paper, and attention piles up on them. The button makes a rollout that leaves them out."
    ),
    "artefacts_run": "Rollout without them",
    "artefacts_alt": "Norms of the patch tokens level by level, with {count} outliers",
    "norms_median": "median",
    "norms_threshold": "median and six deviations",
    "norms_outliers": "outliers",
    "norms_axis": "norm of a token",
    "outlier": "{level}: row {row}, column {col}",
    "outliers_none": "No patch stands out after {level}.",
    "outliers_some": "Norms above {threshold} after {level}, {count} in all:",
    "outliers_more": "and {count} more.",
    "outliers_patch": "Row, column (from 0)",
    "outliers_norm": "Norm",
    "outliers_far": "Median absolute deviations above the median",
    "look_ranked": "Leaderboard",
    "more_ranked": "How faithful each method’s maps are to this model over many photos, beside chance and the centre.",
    "ranked_none": "This model has no leaderboard yet. To make it, with a folder of photos:",
    "ranked_command": "python -m playground faithfulness --model {model} --data FOLDER",
    "ranked_method": "Method",
    "ranked_about": "{photos} photos of {data}; {date}, {hardware}. Means with 95 % intervals, the best in bold.",
    "ranked_other_weights": "Measured on earlier weights of this model.",
    "ranked_left_out": "Left out:",
    "ranked_how": "What the columns mean and how it was measured",
    "more_life": "What the detector’s heads read in this query after each decoder layer. They were trained to.",
    "more_trust": (
        "Patches are taken away, or shown alone, in the order of the map. A good map makes p(class) fall fast when its "
        "patches go, and rise fast when they come. p(class) is the plain softmax, without the answer’s calibration."
    ),
    "tiles_alt": "Small maps of all heads, one layer at a time, for {layers} layers; the fields above choose one",
    "atlas_alt": "{heads} heads of {layers} layers by how far they look; the fields above choose one",
    "atlas_none": "No head of this model attends between places of the picture.",
    "alike_alt": "Tables of how alike the layers are",
    "alike_false": "Attention",
    "alike_true": "Less its mean",
    "alike_features": "Features (CKA)",
    "life_layer": "After",
    "life_label": "Best class",
    "life_score": "Score",
    "life_nothing": "No object",
    "life_box": "Left, top, right, bottom (pixels)",
    "trust_ready": "This runs the model several hundred times. Press the button to start; you can stop it.",
    "trust_run": "Measure",
    "trust_title": "Measuring",
    "trust_map": "this map",
    "trust_random": "random, mean of five",
    "trust_centre": "from the centre",
    "trust_deletion": "Deletion",
    "trust_insertion": "Insertion",
    "trust_chart": "{mode}, {fill}",
    "trust_what": "Area under the curve",
    "trust_alt": "Curves of p(class) while patches are taken away or shown, for the map, chance and the centre",
    "trust_good": "Better than random and centre here ({fill}: {map:z.3f} against {random:z.3f} and {centre:z.3f})",
    "trust_no_random": "No better than random here ({fill}: {map:z.3f} against {random:z.3f})",
    "trust_no_centre": "No better than the centre here ({fill}: {map:z.3f} against {centre:z.3f})",
    "fill_mean": "grey",
    "fill_blur": "blurred",
    "badge_any_class": "Ignores the class you picked",
    "badge_same_class": "Ignores the class you picked: rank correlation {value:z.2f} with the map for “{label}”",
    "badge_class": "Knows the class you picked: rank correlation {value:z.2f} with the map for “{label}”",
    "badge_weights": "Changes when the weights are random: rank correlation {value:z.2f}, mean of {count}",
    "badge_survives": "Hardly changes when the weights are random: rank correlation {value:z.2f}, mean of {count}",
    "badge_no_random_map": "With random weights there is no such map to compare with",
    "badge_box": "{whose}: {energy} of the map on {area} of the area; highest place inside {hit}",
    "checks_run": "Check class and weights",
    "checks_what": "Weights drawn anew, from the head down",
    "checks_share": "{share} of the layers",
    "checks_spearman": "Rank correlation",
    "checks_abs": "Of sizes",
    "checks_ssim": "SSIM",
    # a box
    "box_draw": "Draw a box",
    "box_left": "Left",
    "box_top": "Top",
    "box_right": "Right",
    "box_bottom": "Bottom",
    "box_hint_0": "Hold the map against a box: two clicks on the map, or its edges in pixels of the picture.",
    "box_hint_1": "Click one corner of the box on the map above.",
    "box_hint_2": "Now click the opposite corner.",
    "box_drawn": "Your box",
    "box_found": "Box of {label}",
    # fields
    "method": "Method",
    "layer": "Layer",
    "heads": "Head",
    "head": "head {number}",
    "head_choice": "Head {number}",
    "all_heads": "All heads",
    "heads_mixed": "{mix} of {count} heads",
    "start": "Starting from",
    "start_answer": "What the answer reads",
    "start_answer_class": "The class token",
    "start_patch": "A patch: click, or row and column",
    "start_token": "Token: {token}",
    "row": "Row, 0 to {most}",
    "column": "Column, 0 to {most}",
    "row_plain": "Row",
    "column_plain": "Column",
    "class_picker": "Class",
    "query_picker": "Object",
    "object": "{label} · {share} · query {query}",
    "strength": "Strength of the map",
    "run_method": "Run",
    "stop_method": "Stop",
    # files
    "leaving": "Take the map along",
    "leaving_png": "Picture (PNG)",
    "leaving_html": "Page (HTML)",
    "leaving_npz": "Arrays (npz)",
    "leaving_call": "The Python that makes this map",
    "leaving_nothing": "There is no map to take along yet; choose a picture first.",
    # methods
    "group_attention": "Attention",
    "group_tokens": "Tokens",
    "group_gradients": "Gradients",
    "group_perturbation": "Perturbation",
    "any_class": "the same for every class",
    "needs_trace": "It needs no further run of the model.",
    "needs_head": "It reads the kept tokens with the model’s head.",
    "needs_gradient": "It runs the model once more, with gradients.",
    "needs_perturbation": "It runs the model many times.",
    # captions
    "who_query": "object query {query} ({label}, {share})",
    "who_patch": "the patch in row {row}, column {col}",
    "who_token": "the token “{token}”",
    "who_class": "the class token",
    "who_mean": "the mean of all patches",
    "from_forward": "What {who} looks at.",
    "from_pixels": "The pixels on which {who} depends.",
    "from_backward": "What looks at {who}.",
    "from_answer": "What speaks for the answer of {who}.",
    "for_class": "For {label}.",
    "class_number": "class {number}",
    "apart": "Apart from the picture: {parts}.",
}
